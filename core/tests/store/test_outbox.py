"""The outbox: numbers, bounds, acknowledgements."""

from __future__ import annotations

import pytest
from store_rig import ALL, incarnation, message, number, queued

from hallway.errors import MisuseError
from hallway.store import NewMessage, OutStream, Store


async def test_numbers_begin_at_one_and_have_no_gaps_in_each_stream_to_each_peer() -> None:
    store = await Store.open(None)
    assert (await store.put(message(1), ["tablet-2", "tablet-3"]))[:2] == ({"tablet-2": 1, "tablet-3": 1}, ())
    assert (await store.put(message(2), ["tablet-2"]))[:2] == ({"tablet-2": 2}, ())
    assert (await store.put(message(3, stream="photos"), ["tablet-2"]))[:2] == ({"tablet-2": 1}, ())
    assert await queued(store) == [(1, 1), (2, 2)]
    assert await queued(store, "tablet-3") == [(1, 1)]
    assert await queued(store, stream="photos") == [(1, 3)]
    await store.aclose()


async def test_peers_are_one_whatever_their_case_and_named_once() -> None:
    store = await Store.open(None)
    assert (await store.put(message(1), ["Tablet-2", "tablet-2"])).seqs == {"tablet-2": 1}
    assert (await store.put(message(2), ["TABLET-2"])).seqs == {"tablet-2": 2}
    assert await queued(store, "tAbLeT-2") == [(1, 1), (2, 2)]
    await store.aclose()


async def test_a_message_comes_back_as_it_was_put() -> None:
    store = await Store.open(None)
    await store.put(NewMessage(number(9), b"\x00body\xff", kind=7, stream="s"), ["tablet-2"])
    (item,) = await store.waiting("tablet-2", "s", 0, **ALL)
    assert (item.seq, item.message_id, item.kind, item.body, item.ttl_left_ms) == (1, number(9), 7, b"\x00body\xff", None)
    await store.aclose()


async def test_waiting_stays_within_its_bounds_but_gives_at_least_one() -> None:
    store = await Store.open(None)
    for n in range(1, 6):
        await store.put(message(n, size=10), ["tablet-2"])
    seqs = [[item.seq for item in await store.waiting("tablet-2", "", after, most=most, most_bytes=held)] for after, most, held in BOUNDS]
    assert seqs == [[1, 2], [3, 4, 5], [1], [1, 2], [3], []]
    await store.aclose()


BOUNDS = [(0, 2, 1000), (2, 9, 1000), (0, 9, 1), (0, 9, 29), (2, 0, 0), (5, 9, 1000)]


async def test_an_ack_forgets_what_it_covers_and_tells_what_was_still_there() -> None:
    store = await Store.open(None)
    for n in range(1, 9):
        await store.put(message(n), ["tablet-2"])
    ours = await incarnation(store)
    assert await store.acked("Tablet-2", "", ours, 2, [(4, 4), (7, 2**64 - 1)]) == [number(n).hex() for n in (1, 2, 4, 7, 8)]
    assert await store.acked("tablet-2", "", ours, 5) == [number(3).hex(), number(5).hex()]
    assert await queued(store) == [(6, 6)]
    assert await store.acked("tablet-2", "", ours, 2**64 - 1) == [number(6).hex()]
    assert (await store.put(message(9), ["tablet-2"])).seqs == {"tablet-2": 9}
    await store.aclose()


async def test_an_ack_of_another_incarnation_or_stream_or_peer_forgets_nothing() -> None:
    store = await Store.open(None)
    await store.put(message(1), ["tablet-2"])
    ours = await incarnation(store)
    assert await store.acked("tablet-2", "", ours ^ 1, 9) == []
    assert await store.acked("tablet-2", "photos", ours, 9) == []
    assert await store.acked("tablet-3", "", ours, 9) == []
    assert await queued(store) == [(1, 1)]
    await store.aclose()


async def test_outgoing_tells_of_every_stream_even_where_nothing_waits() -> None:
    store = await Store.open(None)
    for n in range(1, 4):
        await store.put(message(n, size=10), ["tablet-2"])
    await store.put(message(4, size=5, stream="photos"), ["tablet-3"])
    two, three = await incarnation(store), await incarnation(store, "tablet-3", "photos")
    await store.acked("tablet-2", "", two, 1)
    await store.acked("tablet-3", "photos", three, 1)
    assert await store.outgoing() == [
        OutStream("tablet-2", "", two, last=3),
        OutStream("tablet-3", "photos", three, last=1),
    ]
    assert two != three
    await store.aclose()


async def test_a_broadcast_keeps_one_body_until_the_last_receiver_has_it() -> None:
    store = await Store.open(None)
    peers = [f"tablet-{n}" for n in range(2, 7)]
    await store.put(message(1), peers)
    for peer in peers:
        assert await bodies(store) == 1
        await store.acked(peer, "", await incarnation(store, peer), 1)
    assert await bodies(store) == 0
    await store.aclose()


async def bodies(store: Store) -> int:
    count: int = await store._engine.run(lambda db: db.execute("SELECT count(*) FROM body").fetchone()[0])
    return count


async def test_a_message_to_nobody_is_stored_nowhere() -> None:
    store = await Store.open(None)
    assert (await store.put(message(1), []))[:2] == ({}, ())
    assert await bodies(store) == 0
    await store.aclose()


async def test_an_id_of_another_length_is_refused_and_changes_nothing() -> None:
    store = await Store.open(None)
    with pytest.raises(MisuseError, match="16 bytes, not 3"):
        await store.put(NewMessage(b"abc", b"", 1), ["tablet-2"])
    assert await store.outgoing() == []
    await store.aclose()


async def test_what_is_gone_through_page_by_page_is_gone_through_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hallway.store.database.PAGE", 2)
    store = await Store.open(None)
    for n in range(1, 10):
        await store.put(message(n), ["tablet-2"])
    before = await incarnation(store)
    await store.bury("tablet-2", "", [1, 4], "no")
    renewed, last = await store.renew("tablet-2", "")
    assert (renewed != before, last) == (True, 7)
    assert await queued(store) == [(1, 2), (2, 3), (3, 5), (4, 6), (5, 7), (6, 8), (7, 9)]
    assert await store.purge("tablet-2") == 7
    assert (await store.usage()).outbox == (0, 0)
    await store.aclose()


async def test_purge_forgets_what_was_to_go_to_a_peer_and_keeps_its_numbers() -> None:
    store = await Store.open(None)
    await store.met("Tablet-2", 100.0)
    for n in range(1, 4):
        await store.put(message(n, stream="s" if n == 3 else ""), ["tablet-2", "tablet-3"])
    await store.bury("tablet-2", "", [1], "poison")
    assert await store.purge("TABLET-2") == 2
    assert await store.peers(0) == []
    assert await store.dead() == []
    assert await queued(store) == []
    assert await queued(store, "tablet-3") == [(1, 1), (2, 2)]
    assert (await store.put(message(4), ["tablet-2"])).seqs == {"tablet-2": 3}
    await store.aclose()


async def test_peers_are_told_as_they_write_their_ids_the_latest_first() -> None:
    store = await Store.open(None)
    for name, wall in [("Tablet-2", 10.0), ("tablet-3", 20.0), ("TABLET-2", 30.0), ("tablet-4", 5.0)]:
        await store.met(name, wall)
    assert await store.peers(10.0) == ["TABLET-2", "tablet-3"]
    assert await store.peers(0.0) == ["TABLET-2", "tablet-3", "tablet-4"]
    await store.aclose()
