"""What comes in is acknowledged when it is stored, whatever the store does in between."""

from __future__ import annotations

import asyncio

from hallway.protocol.parcels import Ack, Credit, Parcel, Parcels
from hallway.protocol.receiving import Receiving
from hallway.runtime.delivery.inflow import Inflow
from hallway.runtime.delivery.trouble import Trouble
from hallway.runtime.publishing.publisher import Publisher
from hallway.runtime.tasks import TaskSet
from hallway.store import Store


def parcels(first: int, incarnation: int = 1) -> Parcels:
    return Parcels("", incarnation, (Parcel(first, bytes([first]) * 16, None, b"\x01"),))


async def test_what_an_unforeseen_error_kept_from_the_disk_is_stored_before_anything_later_is_acknowledged(monkeypatch):
    store = await Store.open(None)
    crashed, answered = asyncio.Event(), asyncio.Event()
    crashes: list[str] = []
    acks: list[Ack] = []

    def crash(name: str, _: BaseException) -> None:
        crashes.append(name)
        crashed.set()

    def answer(ack: Ack) -> None:
        acks.append(ack)
        answered.set()

    async def fail(*_: object) -> None:
        raise RuntimeError("unforeseen")

    tasks = TaskSet(crash)
    trouble = Trouble(Publisher(None, observes_messages=False))
    inflow = Inflow("b", Receiving("", Credit(100, 100_000)), store, tasks, trouble, lambda *_: None, answer)
    with monkeypatch.context() as broken:
        broken.setattr(store, "receive", fail)
        inflow.take(parcels(1))
        inflow.take(parcels(2))
        await crashed.wait()
    assert (len(crashes), acks) == (1, [])
    inflow.take(parcels(3))
    async with asyncio.timeout(20):
        await answered.wait()
    assert acks[-1].upto == 3
    assert [item.message_id[0] for item in await store.inbox(0, most=10, most_bytes=1000)] == [1, 2, 3]
    await tasks.aclose()
    await store.aclose()


async def test_what_is_stored_is_acknowledged_and_what_came_behind_it_kept_even_if_it_cannot_be_handed_on():
    store = await Store.open(None)
    crashed, answered = asyncio.Event(), asyncio.Event()
    acks: list[Ack] = []

    def answer(ack: Ack) -> None:
        acks.append(ack)
        answered.set()

    def fail(*_: object) -> None:
        raise RuntimeError("unforeseen")

    tasks = TaskSet(lambda *_: crashed.set())
    receiving = Receiving("", Credit(100, 100_000))
    inflow = Inflow("b", receiving, store, tasks, Trouble(Publisher(None, observes_messages=False)), fail, answer)
    inflow.take(parcels(1))
    inflow.take(parcels(1, incarnation=2))
    async with asyncio.timeout(20):
        await crashed.wait()
    inflow.take(parcels(2, incarnation=2))
    async with asyncio.timeout(20):
        await answered.wait()
    assert acks[-1].upto == 2
    assert [item.message_id[0] for item in await store.inbox(0, most=10, most_bytes=1000)] == [1, 1, 2]
    assert receiving._pending == 0
    await tasks.aclose()
    await store.aclose()
