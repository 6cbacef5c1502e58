"""Quotas: exact to the message and the byte, whatever fails in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_rig import incarnation, message, queued

from hallway.store import Quota, Store
from hallway.store.database import Database, counted


async def counters(store: Store) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
    """The counters in memory, and what a store that is opened now would count."""

    def both(db: Database) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
        return db.ledger.sums(), counted(db.connection).sums()

    return await store._engine.run(both)


async def test_a_peer_takes_exactly_as_many_messages_as_its_quota_says() -> None:
    store = await Store.open(None, quota=Quota(peer_messages=2))
    assert [(await store.put(message(n), ["tablet-2"])).full for n in range(3)] == [(), (), ("tablet-2",)]
    assert (await store.put(message(9), ["Tablet-2", "tablet-3"]))[:2] == ({"tablet-3": 1}, ("tablet-2",))
    await store.acked("tablet-2", "", await incarnation(store), 1)
    assert (await store.put(message(4), ["tablet-2"])).seqs == {"tablet-2": 3}
    assert (await store.put(message(5), ["tablet-2"])).full == ("tablet-2",)
    await store.aclose()


async def test_a_peer_takes_exactly_as_many_bytes_as_its_quota_says() -> None:
    store = await Store.open(None, quota=Quota(peer_bytes=30))
    for n, size, fits in [(1, 10, True), (2, 21, False), (3, 20, True), (4, 1, False), (5, 0, True)]:
        assert bool((await store.put(message(n, size=size), ["tablet-2"])).seqs) is fits
    assert (await store.put(message(6, size=30), ["tablet-3"])).seqs == {"tablet-3": 1}
    await store.aclose()


async def test_in_all_a_message_counts_once_for_all_its_receivers() -> None:
    store = await Store.open(None, quota=Quota(total_bytes=25))
    peers = ["tablet-2", "tablet-3", "tablet-4"]
    assert (await store.put(message(1, size=10), peers)).full == ()
    assert (await store.put(message(2, size=10), peers)).full == ()
    assert (await store.put(message(3, size=6), peers))[:2] == ({}, tuple(peers))
    await store.acked("tablet-2", "", await incarnation(store), 2)
    assert (await store.put(message(4, size=6), peers)).full == tuple(peers)
    for peer in peers[1:]:
        await store.acked(peer, "", await incarnation(store, peer), 1)
    assert (await store.put(message(5, size=15), peers)).full == ()
    await store.aclose()


@pytest.mark.parametrize("quota", [Quota(peer_messages=1), Quota(peer_bytes=10), Quota(total_bytes=15)])
async def test_a_letter_is_tried_again_only_where_there_is_room(quota: Quota) -> None:
    store = await Store.open(None, quota=quota)
    await store.put(message(1, size=10), ["tablet-2"])
    await store.bury("tablet-2", "", [1], "cancelled")
    await store.put(message(2, size=10), ["tablet-2"])
    ids = [letter.id for letter in await store.dead()]
    assert (await store.retry(ids)).count == 0
    assert [letter.id for letter in await store.dead()] == ids
    await store.acked("tablet-2", "", await incarnation(store), 2)
    assert (await store.retry(ids)).count == 1
    assert await queued(store) == [(3, 1)]
    await store.aclose()


async def test_the_counters_are_those_of_the_tables_after_all_that_can_happen(tmp_path: Path) -> None:
    path = str(tmp_path / "hallway.db")
    store = await Store.open(path, quota=Quota(letters=3))
    for n in range(1, 9):
        await store.put(message(n, size=n), ["tablet-2", "tablet-3"][: 1 + n % 2])
    await store.acked("tablet-2", "", await incarnation(store), 2, [(5, 5)])
    await store.bury("tablet-2", "", [3, 4, 7, 8], "cancelled")
    await store.retry([(await store.dead())[0].id])
    await store.purge("tablet-3")
    in_memory, in_tables = await counters(store)
    assert in_memory == in_tables
    assert in_memory["tablet-2"] == (2, 10)
    await store.aclose()
    store = await Store.open(path)
    assert (await counters(store))[0] == in_memory
    await store.aclose()


async def test_an_operation_that_fails_halfway_leaves_the_counters_as_they_were() -> None:
    store = await Store.open(None)
    await store.put(message(1), ["tablet-2"])
    await store._engine.run(lambda db: db.execute(ONLY_THREE) and None)
    before, _ = await counters(store)
    with pytest.raises(Exception, match="no more"):
        await store.put(message(2), ["tablet-2", "tablet-3", "tablet-4", "tablet-5"])
    assert await counters(store) == (before, before)
    assert (await store.put(message(3), ["tablet-2"])).seqs == {"tablet-2": 2}
    await store.aclose()


ONLY_THREE = """CREATE TRIGGER fail BEFORE INSERT ON outbox WHEN (SELECT count(*) FROM outbox) >= 3
                BEGIN SELECT RAISE(ABORT, 'no more'); END"""
