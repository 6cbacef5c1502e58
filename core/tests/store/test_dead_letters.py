"""Dead letters: what was given up, and its second try."""

from __future__ import annotations

import pytest
from store_rig import ALL, incarnation, message, number, queued, received

from hallway.store import Acked, Quota, Store


async def test_what_is_buried_leaves_the_outbox_and_its_number_stays_used() -> None:
    store = await Store.open(None)
    for n in range(1, 4):
        await store.put(message(n), ["Tablet-2"])
    assert await store.bury("tablet-2", "", [2, 3, 3, 9], "cancelled") == [Acked(2, number(2)), Acked(3, number(3))]
    assert await store.bury("tablet-2", "", [2], "cancelled") == []
    assert await queued(store) == [(1, 1)]
    letters = await store.dead()
    assert [(each.direction, each.peer_name, each.seq, each.message_id, each.body, each.reason) for each in letters] == [
        ("out", "Tablet-2", n, number(n), bytes([n]) * 3, "cancelled") for n in (2, 3)
    ]
    assert (await store.put(message(4), ["tablet-2"])).seqs == {"tablet-2": 4}
    await store.aclose()


async def test_a_second_try_gets_a_new_number_at_the_end() -> None:
    store = await Store.open(None)
    for n in range(1, 4):
        await store.put(message(n, ttl_ms=60_000), ["tablet-2"])
    await store.bury("tablet-2", "", [1], "expired")
    (letter,) = await store.dead()
    assert (await store.retry([letter.id, letter.id, 99])).count == 1
    assert await queued(store) == [(2, 2), (3, 3), (4, 1)]
    assert [item.ttl_left_ms for item in await store.waiting("tablet-2", "", 3, **ALL)] == [None]
    assert await store.dead() == []
    await store.aclose()


async def test_a_second_try_of_what_was_received_puts_it_into_the_inbox() -> None:
    store = await Store.open(None)
    await store.receive("Tablet-2", "s", 5, 2, [received(1), received(2)])
    first, second = await store.inbox(0, **ALL)
    await store.reject(first.id, "poison")
    await store.reject(first.id, "poison")
    (letter,) = await store.dead(direction="in")
    assert (letter.peer_name, letter.stream, letter.seq, letter.body, letter.reason) == ("Tablet-2", "s", 1, first.body, "poison")
    assert (await store.retry([letter.id])).count == 1
    again = await store.inbox(0, **ALL)
    assert [item._replace(id=0) for item in again] == [second._replace(id=0), first._replace(id=0)]
    await store.aclose()


async def test_a_shared_body_lives_as_long_as_a_letter_or_a_receiver_needs_it() -> None:
    store = await Store.open(None)
    await store.put(message(7), ["tablet-2", "tablet-3"])
    await store.bury("tablet-2", "", [1], "cancelled")
    await store.acked("tablet-3", "", await incarnation(store, "tablet-3"), 1)
    (letter,) = await store.dead()
    assert letter.body == bytes([7]) * 3
    assert (await store.retry([letter.id])).count == 1
    assert [item.body for item in await store.waiting("tablet-2", "", 0, **ALL)] == [letter.body]
    await store.bury("tablet-2", "", [2], "cancelled")
    assert await store.drop([each.id for each in await store.dead()]) == 1
    assert await store._engine.run(lambda db: db.execute("SELECT count(*) FROM body").fetchone()[0]) == 0
    await store.aclose()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [1, 2, 3, 4]),
        ({"direction": "in"}, [4]),
        ({"peer": "TABLET-2"}, [1, 2, 4]),
        ({"peer": "tablet-2", "stream": "s"}, [2]),
        ({"after": 2}, [3, 4]),
        ({"most": 2}, [1, 2]),
        ({"most_bytes": 7}, [1, 2]),
        ({"most_bytes": 0}, [1]),
    ],
)
async def test_dead_letters_are_found_by_what_they_are(wanted: dict[str, object], found: list[int]) -> None:
    store = await Store.open(None)
    for n, peer, stream in [(1, "tablet-2", ""), (2, "tablet-2", "s"), (3, "tablet-3", "")]:
        await store.put(message(n, stream=stream), [peer])
        await store.bury(peer, stream, [1], "cancelled")
    await store.receive("tablet-2", "", 5, 4, [received(4)])
    await store.reject(1, "poison")
    assert [int.from_bytes(each.message_id, "big") for each in await store.dead(**wanted)] == found  # type: ignore[arg-type]
    await store.aclose()


@pytest.mark.parametrize("quota", [Quota(letters=2), Quota(letter_bytes=20)])
async def test_the_oldest_letters_go_when_there_are_too_many(quota: Quota) -> None:
    store = await Store.open(None, quota=quota)
    for n in range(1, 5):
        await store.put(message(n, size=10), ["tablet-2"])
        await store.bury("tablet-2", "", [n], "cancelled")
    assert [each.seq for each in await store.dead()] == [3, 4]
    assert (await store.usage()).letters == (2, 20)
    await store.aclose()
