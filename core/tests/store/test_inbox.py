"""The inbox: positions and messages in one transaction, and what the application does with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_rig import ALL, number, received

from hallway.errors import MisuseError
from hallway.store import Position, Received, Store


async def test_a_position_and_its_messages_come_together_and_stay(tmp_path: Path) -> None:
    path = str(tmp_path / "hallway.db")
    store = await Store.open(path)
    await store.receive("Tablet-2", "", 2**64 - 1, 2, [received(1), received(2)])
    await store.aclose()
    store = await Store.open(path)
    assert await store.positions() == [Position("tablet-2", "", 2**64 - 1, 2)]
    items = await store.inbox(0, **ALL)
    assert [(item.peer_name, item.stream, item.seq, item.message_id, item.kind, item.body) for item in items] == [
        ("Tablet-2", "", n, number(n), 1, bytes([n]) * 3) for n in (1, 2)
    ]
    await store.aclose()


async def test_another_incarnation_replaces_the_position() -> None:
    store = await Store.open(None)
    await store.receive("tablet-2", "", 5, 70, [])
    await store.receive("tablet-2", "photos", 5, 1, [])
    await store.receive("TABLET-2", "", 6, 1, [received(1)])
    assert await store.positions() == [Position("tablet-2", "", 6, 1), Position("tablet-2", "photos", 5, 1)]
    await store.aclose()


async def test_messages_come_out_in_the_order_of_arrival_over_all_peers_and_within_the_bounds() -> None:
    store = await Store.open(None)
    for n in range(1, 7):
        await store.receive(f"tablet-{2 + n % 2}", "", 5, n, [received(n, size=10)])
    first = await store.inbox(0, most=4, most_bytes=35)
    assert [item.seq for item in first] == [1, 2, 3]
    assert [item.seq for item in await store.inbox(first[-1].id, most=2, most_bytes=1000)] == [4, 5]
    assert [item.seq for item in await store.inbox(0, most=0, most_bytes=0)] == [1]
    await store.aclose()


async def test_what_is_taken_is_gone_and_its_id_is_never_used_again() -> None:
    store = await Store.open(None)
    await store.receive("tablet-2", "", 5, 2, [received(1), received(2)])
    ids = [item.id for item in await store.inbox(0, **ALL)]
    await store.taken(ids)
    await store.taken(ids)
    assert await store.inbox(0, **ALL) == []
    await store.receive("tablet-2", "", 5, 3, [received(3)])
    (item,) = await store.inbox(0, **ALL)
    assert item.id > max(ids)
    await store.aclose()


async def test_flags_come_out_as_they_went_in() -> None:
    store = await Store.open(None)
    await store.receive("tablet-2", "", 5, 1, [Received(1, number(1), 1, b"", flags=3)])
    assert [item.flags for item in await store.inbox(0, **ALL)] == [3]
    await store.aclose()


@pytest.mark.parametrize(("upto", "seq"), [(2**63, 1), (1, 2**63)])
async def test_a_number_that_no_store_can_hold_is_refused_and_changes_nothing(upto: int, seq: int) -> None:
    store = await Store.open(None)
    with pytest.raises(MisuseError, match="at most"):
        await store.receive("tablet-2", "", 5, upto, [Received(seq, number(1), 1, b"")])
    assert (await store.positions(), await store.inbox(0, **ALL)) == ([], [])
    await store.aclose()
