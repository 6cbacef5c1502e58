"""What the application has dealt with, and the store's word for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

import hallway.runtime.delivery.handing
import hallway.runtime.publishing.room
from hallway.protocol import packed
from hallway.protocol.parcels import Parcel
from hallway.runtime.delivery.handing import Handed, Handing
from hallway.runtime.delivery.trouble import Trouble
from hallway.runtime.publishing.publisher import Publisher
from hallway.runtime.publishing.readers import MessageReader
from hallway.store import InboxItem, Received, Store


async def test_what_was_being_noted_when_the_device_closed_is_noted_all_the_same() -> None:
    store = await Store.open(None)
    await store.receive("one", "", 7, 2, [Received(seq, bytes(16), 0, b"\x01") for seq in (1, 2)])
    taken, poison = await store.inbox(0, most=2, most_bytes=100)
    gone: list[tuple[int, int]] = []
    handing = Handing(store, Publisher(None, observes_messages=False), None, lambda count, size: gone.append((count, size)))  # type: ignore[arg-type] - nothing is told
    handing._taken, handing._rejected = [Handed(handing, taken.id, "one", 1)], [(Handed(handing, poison.id, "one", 1), "poison")]
    noting = asyncio.create_task(handing.settle())
    await asyncio.sleep(0)
    noting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await noting
    await handing.settle()
    assert await store.inbox(0, most=2, most_bytes=100) == []
    assert [(letter.seq, letter.reason) for letter in await store.dead()] == [(2, "poison")]
    assert gone == [(2, 2)]
    await store.aclose()


class Application:
    """Hands out what comes into a store, and reads it."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.publisher = Publisher(None, observes_messages=False)
        self.store, self.fetched, self._count = store, 0, 0
        self.handing = Handing(store, self.publisher, Trouble(self.publisher), lambda *_: None)
        self.reader = MessageReader(self.publisher.subscribe(lambda _: True))
        real = store.inbox

        async def inbox(after: int, *, most: int, most_bytes: int) -> list[InboxItem]:
            items = await real(after, most=most, most_bytes=most_bytes)
            self.fetched += len(items)
            return items

        monkeypatch.setattr(store, "inbox", inbox)

    async def receive(self, values: list[object]) -> None:
        """Store these as messages of one peer, and say so."""
        first, self._count = self._count + 1, self._count + len(values)
        parcels = [Parcel(seq, bytes(16), None, packed.pack(value)) for seq, value in enumerate(values, first)]
        items = [Received(parcel.seq, parcel.id, 0, parcel.body) for parcel in parcels]
        self.handing.stored("one", await self.store.receive("one", "", 7, self._count, items), parcels)

    async def read(self, count: int) -> list[object]:
        async with asyncio.timeout(20):
            return [(await anext(self.reader))[1] for _ in range(count)]


@pytest.fixture
async def application(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Application]:
    store = await Store.open(None)
    application = Application(store, monkeypatch)
    running = asyncio.create_task(application.handing.run())
    yield application
    running.cancel()
    await asyncio.wait([running])
    await store.aclose()


async def test_what_comes_while_nothing_waits_is_handed_out_without_being_fetched(application: Application) -> None:
    await application.receive(["first"])
    assert await application.read(1) == ["first"]
    fetched = application.fetched
    for n in range(5):
        await application.receive([[n, i] for i in range(20)])
    assert await application.read(100) == [[n, i] for n in range(5) for i in range(20)]
    assert application.fetched == fetched


async def test_more_than_is_handed_out_in_one_go_is_fetched_and_comes_in_order_and_once(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hallway.runtime.delivery.handing, "MOST_AT_ONCE", 7)
    await application.receive(["first"])
    assert await application.read(1) == ["first"]
    for n in range(10):
        await application.receive([[n, i] for i in range(n)])
    assert await application.read(45) == [[n, i] for n in range(10) for i in range(n)]


async def test_behind_a_reader_that_is_full_what_comes_stays_in_the_store_until_there_is_room(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hallway.runtime.publishing.room.Room, "limit", 4000)
    await application.receive(["first"])
    assert await application.read(1) == ["first"]
    fetched = application.fetched
    for n in range(10):
        await application.receive([[n, i] for i in range(5)])
    assert await application.read(50) == [[n, i] for n in range(10) for i in range(5)]
    assert application.fetched > fetched
