"""Durable messages at the edges: devices without an inbox, a closing device, a store that fails while the device runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from durable_devices import durable_device, heard, linked, running

import hallway.runtime.trouble
import hallway.testing.memory.channel
import hallway.testing.memory.plugin
from hallway import Peer
from hallway.errors import DeliveryFailed, StorageFull, StoreDamaged
from hallway.events import ErrorHappened, PeerConnected, PeerDisconnected
from hallway.protocol.frames import Messages
from hallway.protocol.parcels import Nak, Parcel, Parcels
from hallway.protocol.parcels import encode as encode_parcels
from hallway.store import Store

SECTION = {"positions": [], "credit": [100, 1_000_000]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(hallway.runtime.trouble, "RETRY_SECONDS", 0.01)


@pytest.fixture
def make(request, tmp_path):
    """A device with a store of its own in a file."""

    def one(device_id: str) -> Peer:
        return durable_device(device_id, request.node.name, str(tmp_path / device_id))

    return one


class TestDevicesWithoutAnInbox:
    @pytest.fixture(autouse=True)
    def plain_kind(self, monkeypatch):
        """Offers of the seed name no kind, which means webrtc: let the memory plugin go by that name."""
        monkeypatch.setattr(hallway.testing.memory.channel, "KIND", "webrtc")
        monkeypatch.setattr(hallway.testing.memory.plugin, "KIND", "webrtc")

    async def test_what_waits_goes_out_as_json_in_order_and_is_let_go_of(self, device, stranger, events):
        old = stranger("tablet-2")
        channel = await old.dial("tablet-1")
        await old.greet(channel, "tablet-1", sections={"delivery": SECTION})
        await events.first(PeerConnected)
        await channel.aclose(0)
        await events.first(PeerDisconnected)
        receipts = [await device.send_to_peer("tablet-2", [number, "ü"]) for number in range(100)]
        bad = await device.send_to_peer("tablet-2", {"picture": b"\x00"})
        last = await device.send_to_peer("tablet-2", "last")

        plain = stranger("tablet-2", marked=False)
        channel = await plain.dial("tablet-1")
        await channel.opened(asyncio.get_running_loop().time() + 10)
        async with asyncio.timeout(10):
            texts = [await channel.receive() for _ in range(101)]
            assert [json.loads(text) for text in texts] == [*([number, "ü"] for number in range(100)), "last"]
            for receipt in (receipts[0], last):
                with pytest.raises(DeliveryFailed, match="no inbox"):
                    await receipt.delivered()
            with pytest.raises(DeliveryFailed, match="JSON only"):
                await bad.delivered()
        failed = await events.first(ErrorHappened)
        assert failed.code == "dead-letter"
        assert bad.id in str(failed.message)
        store = device._node.delivery._store
        (letter,) = await store.dead()
        assert "JSON only" in letter.reason
        assert (await store.usage()).outbox == (0, 0)
        # From now on messages go at once.
        assert not (await device.send_to_peer("tablet-2", "now")).durable
        assert json.loads(await channel.receive()) == "now"

    async def test_one_that_greets_without_the_layer_after_it_had_one_gets_messages_at_once(self, device, stranger, events):
        peer = stranger()
        channel = await peer.dial("tablet-1")
        await peer.greet(channel, "tablet-1", sections={"delivery": SECTION})
        await events.first(PeerConnected)
        moved = await peer.dial("tablet-1")
        await peer.greet(moved, "tablet-1", sections={}, moves=True)
        async with asyncio.timeout(10):
            while (await device.send_to_peer("stranger", "x")).durable:
                await asyncio.sleep(0)
            while not isinstance(frame := await peer.heard(moved), Messages):
                assert not isinstance(frame, Parcels)
        assert frame.items[-1].value == "x"

    async def test_one_without_the_layer_that_sends_its_frames_breaks_the_rules(self, device, stranger, events):
        peer = stranger()
        channel = await peer.dial("tablet-1")
        await peer.greet(channel, "tablet-1", sections={})
        await events.first(PeerConnected)
        await channel.send(encode_parcels(Nak("", 1, 1, "no")))
        error = await events.first(ErrorHappened)
        assert error.code == "protocol"
        assert "no delivery layer" in error.message
        assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "protocol")


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


class Faulty:
    """Makes a method of the stores fail until it is mended."""

    def __init__(self, monkeypatch, name, error):
        self.error, self.failed, self.failed_twice = error, 0, asyncio.Event()
        real = getattr(Store, name)

        async def method(store, *arguments, **options):
            if self.error is None:
                return await real(store, *arguments, **options)
            self.failed += 1
            if self.failed > 2:
                self.failed_twice.set()
            raise self.error

        monkeypatch.setattr(Store, name, method)

    async def persists(self):
        async with asyncio.timeout(10):
            await self.failed_twice.wait()

    def mend(self):
        self.error = None


FULL = StorageFull("there is no room", hint="make room")
DAMAGED = StoreDamaged("the store is damaged", hint="start the device again")


@pytest.mark.parametrize("method", ["inbox", "receive", "taken"])
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
