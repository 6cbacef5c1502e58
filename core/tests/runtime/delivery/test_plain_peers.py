"""Devices without an inbox: what was stored for them goes out in order, each message at most once."""

from __future__ import annotations

import asyncio
import json
from math import inf

import pytest
from faulty_store import Faulty, Slow

import hallway.runtime.delivery.trouble
import hallway.runtime.links.conversation
import hallway.testing.memory.channel
import hallway.testing.memory.plugin
from hallway.errors import DeliveryFailed, StorageFull
from hallway.events import ErrorHappened, PeerConnected, PeerDisconnected, Undelivered
from hallway.protocol.frames import Messages
from hallway.protocol.parcels import Nak, Parcels
from hallway.protocol.parcels import encode as encode_parcels
from hallway.runtime.links.conversation import MAX_GARBAGE

SECTION = {"positions": [], "credit": [100, 1_000_000]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(hallway.runtime.delivery.trouble, "RETRY_SECONDS", 0.01)


@pytest.fixture(autouse=True)
def plain_kind(monkeypatch):
    """Offers of the seed name no kind, which means webrtc: let the memory plugin go by that name."""
    monkeypatch.setattr(hallway.testing.memory.channel, "KIND", "webrtc")
    monkeypatch.setattr(hallway.testing.memory.plugin, "KIND", "webrtc")


async def known(device, stranger, events) -> None:
    """A peer that was linked, and is away."""
    old = stranger("tablet-2")
    channel = await old.dial("tablet-1")
    await old.greet(channel, "tablet-1", sections={"delivery": SECTION})
    await events.first(PeerConnected)
    await channel.aclose(0)
    await events.first(PeerDisconnected)


async def plain_channel(stranger, events):
    """A link to that peer, which turns out to have no inbox."""
    channel = await stranger("tablet-2", marked=False).dial("tablet-1")
    await channel.opened(asyncio.get_running_loop().time() + 10)
    await events.first(PeerConnected)
    return channel


async def test_what_waits_goes_out_as_json_in_order_and_is_let_go_of(device, stranger, events):
    await known(device, stranger, events)
    receipts = [await device.send_to_peer("tablet-2", [number, "ü"]) for number in range(100)]
    bad = await device.send_to_peer("tablet-2", {"picture": b"\x00"})
    last = await device.send_to_peer("tablet-2", "last")

    channel = await plain_channel(stranger, events)
    async with asyncio.timeout(10):
        texts = [await channel.receive() for _ in range(101)]
        assert [json.loads(text) for text in texts] == [*([number, "ü"] for number in range(100)), "last"]
        for receipt in (receipts[0], last):
            with pytest.raises(DeliveryFailed, match="no inbox"):
                await receipt.delivered()
        with pytest.raises(DeliveryFailed, match="JSON only"):
            await bad.delivered()
    failed = await events.first(Undelivered)
    assert (failed.peer_id, failed.id) == ("tablet-2", bad.id)
    assert "JSON only" in failed.reason
    store = device._node.delivery._store
    (letter,) = await store.dead()
    assert "JSON only" in letter.reason
    assert (await store.usage()).outbox == (0, 0)
    # From now on messages go at once.
    assert not (await device.send_to_peer("tablet-2", "now")).durable
    assert json.loads(await channel.receive()) == "now"


async def test_one_that_greets_without_the_layer_after_it_had_one_gets_messages_at_once(device, stranger, events):
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


async def test_one_without_the_layer_that_sends_its_frames_breaks_the_rules(device, stranger, events):
    peer = stranger()
    channel = await peer.dial("tablet-1")
    await peer.greet(channel, "tablet-1", sections={})
    await events.first(PeerConnected)
    await channel.send(encode_parcels(Nak("", 1, 1, "no")))
    error = await events.first(ErrorHappened)
    assert error.code == "protocol"
    assert "no delivery layer" in error.message
    assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "protocol")


async def texts(channel, count: int) -> list:
    async with asyncio.timeout(10):
        return [json.loads(await channel.receive()) for _ in range(count)]


async def test_what_is_sent_in_the_instant_of_the_link_comes_after_what_waits(device, stranger, events):
    await known(device, stranger, events)
    for number in range(100):
        await device.send_to_peer("tablet-2", number)

    async def greet(peer_id: str) -> None:
        await device.send_to_peer(peer_id, "connected")

    device.on("peer-connected", greet)
    channel = await stranger("tablet-2", marked=False).dial("tablet-1")
    assert await texts(channel, 101) == [*range(100), "connected"]


async def test_what_is_sent_after_a_message_that_was_just_stored_comes_after_it(device, stranger, events, monkeypatch):
    await known(device, stranger, events)
    slow = Slow(monkeypatch, "put_one")

    async def speak() -> None:
        for number in range(3):
            await device.send_to_peer("tablet-2", number)

    speaking = asyncio.create_task(speak())
    await slow.called.wait()
    channel = await plain_channel(stranger, events)
    slow.go_on()
    await speaking
    assert await texts(channel, 3) == [0, 1, 2]


@pytest.mark.parametrize("method", ["waiting", "withdraw"])
async def test_nothing_comes_twice_if_the_store_fails_while_the_link_comes_and_goes(device, stranger, events, monkeypatch, method):
    await known(device, stranger, events)
    for number in range(100):
        await device.send_to_peer("tablet-2", number)
    fault = Faulty(monkeypatch, method, StorageFull("there is no room", hint="make room"))
    first = await plain_channel(stranger, events)
    await fault.persists()
    await first.aclose(0)
    await events.first(PeerDisconnected)
    second = await plain_channel(stranger, events)
    fault.mend()
    got = await texts(second, 100)
    await device.send_to_peer("tablet-2", "last")
    assert got + await texts(second, 1) == [*range(100), "last"]


async def test_what_was_let_go_of_while_the_link_changed_goes_over_the_next_one_and_once(device, stranger, events, monkeypatch):
    await known(device, stranger, events)
    for number in range(100):
        await device.send_to_peer("tablet-2", number)
    slow = Slow(monkeypatch, "withdraw")
    first = await plain_channel(stranger, events)
    await slow.called.wait()
    await first.aclose(0)
    await events.first(PeerDisconnected)
    second = await plain_channel(stranger, events)
    slow.go_on()
    assert await texts(second, 100) == list(range(100))


async def test_a_broadcast_that_cannot_be_stored_goes_to_nobody(device, stranger, events, monkeypatch):
    await known(device, stranger, events)
    plain = await stranger("desk", marked=False).dial("tablet-1")
    await events.first(PeerConnected)
    fault = Faulty(monkeypatch, "put", StorageFull("there is no room", hint="make room"))
    with pytest.raises(StorageFull):
        await device.broadcast("not stored")
    fault.mend()
    sent = await device.broadcast("stored")
    assert {receipt.peer_id: receipt.durable for receipt in sent.receipts} == {"tablet-2": True, "desk": False}
    assert await texts(plain, 1) == ["stored"]


async def test_a_broadcast_leaves_out_a_link_that_goes_down_while_it_is_stored_for_others(device, stranger, events, monkeypatch):
    await known(device, stranger, events)
    plain = await stranger("desk", marked=False).dial("tablet-1")
    await events.first(PeerConnected)
    slow = Slow(monkeypatch, "put")
    sending = asyncio.create_task(device.broadcast("stored"))
    await slow.called.wait()
    await plain.aclose(0)
    await events.first(PeerDisconnected)
    slow.go_on()
    assert set((await sending).ids) == {"tablet-2"}


@pytest.fixture
async def taken(device, stranger, events, monkeypatch):
    """What takes the messages of a plain peer in the turn in which they come, however long that is."""
    takers = []
    monkeypatch.setattr("hallway.protocol.turns.TURN", inf)
    monkeypatch.setattr(hallway.testing.memory.channel.MemoryChannel, "hand_first_to", lambda _, taker: takers.append(taker))
    await plain_channel(stranger, events)
    async with asyncio.timeout(10):
        while not takers:
            await asyncio.sleep(0)
    return takers[0]


async def test_a_crash_at_a_message_is_told_as_one_in_the_reader_is(taken, events, monkeypatch):
    def crash(data):
        raise LookupError("a bug")

    monkeypatch.setattr(hallway.runtime.links.conversation, "of_json", crash)
    assert taken('"hello"')
    assert await events.first(PeerDisconnected) == PeerDisconnected("tablet-2", "closed")
    error = await events.first(ErrorHappened)
    assert error.code == "internal"
    assert "a bug" in error.message


async def test_nothing_counts_that_comes_in_the_turn_in_which_its_channel_is_given_up(device, taken, events):
    told = []
    for name in ("error", "message"):
        device.on(name, lambda *what, name=name: told.append(name))
    assert all(taken("nonsense") for _ in range(2 * MAX_GARBAGE))
    assert taken('"hello"')
    # One for each, and one for the end of the link.
    assert (told.count("error"), told.count("message")) == (MAX_GARBAGE + 1, 0)
    assert (await events.first(PeerDisconnected)).reason == "protocol"
