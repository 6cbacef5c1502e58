"""What waits, as people look at it: sums by peer, single messages, ages, and dead letters by direction."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from store_rig import HandMachine, incarnation, message, number, received

from hallway.store import Listed, Place, Queue, Retried, Store
from hallway.store.schema import MIGRATIONS


async def test_what_waits_for_peers_is_summed_with_the_oldest_age_and_the_next_expiry() -> None:
    machine = HandMachine()
    store = await Store.open(None, machine=machine)
    await store.put(message(1, size=10), ["Tablet-2", "tablet-3"])
    machine.now += 5000
    await store.put(message(2, size=7, ttl_ms=60_000), ["tablet-2"])
    await store.put(message(3, size=1, stream="s", ttl_ms=90_000), ["tablet-2"])
    machine.now += 1000
    assert await store.queues("out") == [Queue("Tablet-2", 3, 18, 6.0, 59_000), Queue("tablet-3", 1, 10, 6.0, None)]
    assert await store.queues("out", "TABLET-3") == [Queue("tablet-3", 1, 10, 6.0, None)]
    assert await store.queues("in") == []
    await store.acked("tablet-3", "", await incarnation(store, "tablet-3"), 1)
    assert await store.queues("out", "tablet-3") == []
    await store.aclose()


async def test_what_waits_for_the_application_is_summed_by_sender() -> None:
    machine = HandMachine()
    store = await Store.open(None, machine=machine)
    await store.receive("Tablet-2", "", 5, 2, [received(1), received(2)])
    machine.now += 2500
    await store.receive("tablet-3", "", 5, 1, [received(1, size=9)])
    assert await store.queues("in") == [Queue("Tablet-2", 2, 6, 2.5, None), Queue("tablet-3", 1, 9, 0.0, None)]
    await store.taken([1])
    assert await store.queues("in", "tablet-2") == [Queue("Tablet-2", 1, 3, 2.5, None)]
    await store.aclose()


async def test_messages_are_listed_page_by_page_across_peers_and_large_bodies_left_out() -> None:
    store = await Store.open(None, machine=(machine := HandMachine()))
    for n, peer in enumerate(("tablet-2", "tablet-3", "tablet-2", "tablet-3"), 1):
        await store.put(message(n, size=n, ttl_ms=1000 * n), [peer])
    machine.now += 500
    first = await store.listed("out", most=3, body_bytes=3)
    assert [(each.peer_name, each.seq, each.size, each.body, each.age, each.ttl_left_ms) for each in first] == [
        ("tablet-2", 1, 1, b"\x01", 0.5, 500),
        ("tablet-2", 2, 3, b"\x03" * 3, 0.5, 2500),
        ("tablet-3", 1, 2, b"\x02" * 2, 0.5, 1500),
    ]
    (last,) = await store.listed("out", after=first[-1].place, most=3, body_bytes=3)
    assert last == Listed(last.place, "tablet-3", "", 2, number(4), 1, 4, None, 0.5, 3500)
    assert await store.listed("out", after=last.place) == []
    assert [each.seq for each in await store.listed("out", "Tablet-3")] == [1, 2]
    await store.aclose()


async def test_the_inbox_is_listed_in_the_order_of_arrival() -> None:
    store = await Store.open(None)
    for n, peer in enumerate(("tablet-3", "tablet-2", "tablet-3"), 1):
        await store.receive(peer, "", 5, n, [received(n)])
    found = await store.listed("in", most=2)
    assert [(each.place, each.peer_name, each.seq, each.body) for each in found] == [
        (Place(0, 1), "tablet-3", 1, b"\x01" * 3),
        (Place(0, 2), "tablet-2", 2, b"\x02" * 3),
    ]
    assert [each.seq for each in await store.listed("in", after=found[-1].place)] == [3]
    assert [each.seq for each in await store.listed("in", "tablet-3")] == [1, 3]
    await store.aclose()


async def test_letters_are_told_apart_by_direction_and_a_second_try_says_what_it_did() -> None:
    store = await Store.open(None)
    for n in (1, 2):
        await store.put(message(n, stream="s"), ["tablet-2"])
    await store.bury("tablet-2", "s", [1, 2], "expired")
    await store.receive("tablet-3", "", 5, 1, [received(3, size=8)])
    await store.reject(1, "poison")
    assert (await store.letter_ids("out"), await store.letter_ids("in")) == ([1, 2], [3])
    assert (await store.letter_ids("in", "TABLET-3"), await store.letter_ids("in", "tablet-2")) == ([3], [])
    assert await store.retry([1, 3, 99]) == Retried(2, {("tablet-2", "s"): 3}, 1, 8)
    assert await store.retry([1, 3]) == Retried(0, {}, 0, 0)
    await store.aclose()


async def test_what_came_in_before_ages_were_kept_is_of_unknown_age(tmp_path: Path) -> None:
    path = tmp_path / "hallway.db"
    with sqlite3.connect(path) as before:
        for statement in MIGRATIONS[0]:
            before.execute(statement)
        before.execute("PRAGMA user_version = 1")
        before.execute("INSERT INTO inbox VALUES (1, 'tablet-2', '', 7, ?, 1, x'00', 0)", (number(7),))
    before.close()
    store = await Store.open(str(path))
    await store.receive("tablet-3", "", 5, 1, [received(1)])
    assert [(each.peer_name, each.age is None) for each in await store.listed("in")] == [("tablet-2", True), ("tablet-3", False)]
    assert (await store.queues("in"))[0] == Queue("tablet-2", 1, 1, None, None)
    await store.aclose()
