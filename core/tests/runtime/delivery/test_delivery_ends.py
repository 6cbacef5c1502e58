"""Durable messages at the edges: a closing device, a store that fails while the device runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from durable_devices import durable_device, heard, linked, running
from faulty_store import Faulty

import hallway.runtime.delivery.trouble
from hallway import Peer
from hallway.errors import StorageFull, StoreDamaged
from hallway.events import ErrorHappened, PeerConnected, PeerDisconnected
from hallway.protocol import packed
from hallway.protocol.parcels import Parcel, Parcels
from hallway.protocol.parcels import encode as encode_parcels
from hallway.store import Store

SECTION = {"positions": [], "credit": [100, 1_000_000]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(hallway.runtime.delivery.trouble, "RETRY_SECONDS", 0.01)


@pytest.fixture
def make(request, tmp_path):
    """A device with a store of its own in a file."""

    def one(device_id: str) -> Peer:
        return durable_device(device_id, request.node.name, str(tmp_path / device_id))

    return one


async def test_what_a_listener_deals_with_while_the_device_closes_is_not_handed_out_again(make):
    one, two = make("one"), make("two")
    began, dealt_with = asyncio.Event(), []

    async def listener(_: str, message: object) -> None:
        began.set()
        while not two._node._tasks_are_gone:
            await asyncio.sleep(0)
        dealt_with.append(message)

    two.on("message", listener)
    async with running(one):
        async with running(two):
            await linked(one, two)
            node, closing = two._node, two._node._tasks.aclose
            node._tasks_are_gone = False

            async def close_tasks() -> None:
                await closing()
                node._tasks_are_gone = True

            node._tasks.aclose = close_tasks
            await (await one.send_to_peer("two", "slow")).delivered()
            async with asyncio.timeout(10):
                await began.wait()
        assert dealt_with == ["slow"]
        async with running(again := make("two")):
            await linked(one, again)
            await one.send_to_peer("two", "next")
            assert await heard(again, 1) == ["next"]


async def test_who_is_known_is_not_asked_of_the_store_at_every_message(make, monkeypatch):
    async with running(one := make("one"), two := make("two")):
        await linked(one, two)
    asked, peers = [], Store.peers

    async def count(self, since):
        asked.append(since)
        return await peers(self, since)

    monkeypatch.setattr(Store, "peers", count)
    async with running(one := make("one")):
        for number in range(50):
            await one.send_to_peer("TWO", number)
            await one.broadcast(number)
        assert len(asked) == 1
        async with running(three := make("three")):
            await linked(one, three)
        assert set((await one.broadcast("all")).ids) == {"two", "three"}


FULL = StorageFull("there is no room", hint="make room")
DAMAGED = StoreDamaged("the store is damaged", hint="start the device again")


async def test_what_lies_in_an_inbox_that_cannot_be_read_is_handed_out_when_it_can(make, monkeypatch):
    one = make("one")
    async with running(one):
        async with running(two := make("two")):
            await linked(one, two)
            for number in range(100):
                await (await one.send_to_peer("two", number)).delivered()
        fault = Faulty(monkeypatch, "inbox", DAMAGED)
        async with running(two := make("two")):
            await linked(one, two)
            await one.send_to_peer("two", 100)
            await fault.persists()
            fault.mend()
            assert await heard(two, 101) == list(range(101))


@pytest.mark.parametrize("method", ["receive", "taken"])
async def test_a_receiver_whose_store_fails_tells_once_and_goes_on_alone(make, monkeypatch, method):
    one, two = make("one"), make("two")
    async with running(one, two):
        await linked(one, two)
        errors = two.events(lambda event: isinstance(event, ErrorHappened))
        fault = Faulty(monkeypatch, method, DAMAGED)
        for number in range(100):
            await one.send_to_peer("two", number)
        inbox = two.messages()
        got = [(await anext(inbox))[1] for _ in range(2)] if method == "taken" else []
        await fault.persists()
        await one.send_to_peer("two", "live", durable=False)
        told = await anext(errors)
        assert (told.code, told.hint) == ("store-damaged", "start the device again")
        fault.mend()
        async with asyncio.timeout(10):
            while len(got) < 101:
                got.append((await anext(inbox))[1])
        assert [each for each in got if each != "live"] == list(range(100))
        errors.close()
        assert [event async for event in errors] == []


@pytest.mark.parametrize("method", ["acked", "waiting"])
async def test_a_sender_whose_store_fails_goes_on_alone(make, monkeypatch, method):
    one, two = make("one"), make("two")
    async with running(one, two):
        await linked(one, two)
        errors = one.events(lambda event: isinstance(event, ErrorHappened))
        fault = Faulty(monkeypatch, method, FULL)
        receipts = [await one.send_to_peer("two", [number, "x" * 100_000]) for number in range(60)]
        inbox = two.messages()
        got = [(await anext(inbox))[1][0] for _ in range(10)]
        await fault.persists()
        fault.mend()
        async with asyncio.timeout(20):
            got += [(await anext(inbox))[1][0] for _ in range(50)]
            for receipt in receipts:
                await receipt.delivered()
        assert got == list(range(60))
        assert (await anext(errors)).code == "storage-full"
        assert (await one._node.delivery._store.usage()).outbox == (0, 0)


async def test_a_peer_may_send_eight_streams_and_no_ninth(device, stranger, events):
    peer = stranger()
    channel = await peer.dial("tablet-1")
    await peer.greet(channel, "tablet-1", sections={"delivery": SECTION})
    await events.first(PeerConnected)
    for number in range(9):
        await channel.send(encode_parcels(Parcels(f"stream-{number}", 1, (Parcel(1, bytes(16), None, b"\x01"),))))
    error = await events.first(ErrorHappened)
    assert "more than 8 streams" in error.message
    assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "protocol")


async def test_what_is_sent_while_what_waited_is_deleted_goes_out_when_the_peer_is_back(make, monkeypatch):
    async with running(one := make("one")):
        async with running(two := make("two")):
            await linked(one, two)
            await one.send_to_peer("two", "first")
            assert await heard(two, 1) == ["first"]
        sending = []

        async def send_meanwhile() -> None:
            await one._node.delivery.posting.put_one(packed.pack("meanwhile"), "two")

        async def purge(self, peer: str, purge=Store.purge) -> int:
            count = await purge(self, peer)
            sending.append(asyncio.create_task(send_meanwhile()))
            return count

        monkeypatch.setattr(Store, "purge", purge)
        await one._node.delivery.purge("two")
        await sending[0]
        async with running(two := make("two")):
            await linked(one, two)
            assert await heard(two, 1) == ["meanwhile"]


async def test_a_file_that_is_damaged_while_it_is_read_is_told_once_and_the_next_start_begins_anew(make, tmp_path):
    one, two = make("one"), make("two")
    async with running(one, two):
        await linked(one, two)
        errors = two.events(lambda event: isinstance(event, ErrorHappened))
        for number in range(10):
            await (await one.send_to_peer("two", number)).delivered()
        await spoil(two._node.delivery._store, tmp_path)
        two._node.delivery._handing.more()
        async with asyncio.timeout(10):
            told = await anext(errors)
        assert told.code == "store-damaged"
        assert "start the device again" in told.hint
        await one.send_to_peer("two", "live", durable=False)
        assert "live" in await heard(two, 11)
        errors.close()
        assert [event.code async for event in errors] == []
    again = make("two")
    errors = again.events(lambda event: isinstance(event, ErrorHappened))
    async with running(one := make("one"), again):
        notice = await anext(errors)
        assert notice.code == "store"
        assert str(tmp_path / "two.damaged-1") in notice.message
        await linked(one, again)
        await one.send_to_peer("two", "anew")
        assert await heard(again, 1) == ["anew"]


async def spoil(store: Store, folder: Path) -> None:
    """Overwrite the database and its log below SQLite, and have it forget what it has read."""

    def spoil_files() -> None:
        database = store._engine._opened.database  # type: ignore[union-attr]
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        file = folder / "two"
        with file.open("r+b") as raw:
            raw.seek(4096)
            raw.write(b"\xa5" * (file.stat().st_size - 4096))
        database.execute("PRAGMA shrink_memory")

    await asyncio.get_running_loop().run_in_executor(store._engine._thread, spoil_files)
