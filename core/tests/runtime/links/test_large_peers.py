"""Large messages between whole devices over the memory plugins: old peers, small channels, slow readers, hostile ones."""

from __future__ import annotations

import asyncio

import pytest
from messages import says

from hallway import Peer
from hallway.errors import ChannelClosed, DeliveryFailed, MessageTooLarge
from hallway.events import ErrorHappened, MessageReceived, PeerConnected, PeerDisconnected
from hallway.protocol.batches import message_ids
from hallway.protocol.chunks import MAX_FRAME, Chunk, Cut, encode
from hallway.protocol.frames import Ping
from hallway.protocol.frames import encode as encode_frame
from hallway.protocol.heartbeat import Timing
from hallway.protocol.parcels import Ack, Credit, Gap, Parcels
from hallway.protocol.parcels import encode as encode_parcels

MIB = 1024 * 1024
SECTION = {"sections": {"delivery": {"positions": [], "credit": [100, MIB]}}}


def chunks(frame: bytes, size: int = 1000) -> list[bytes]:
    parts, under_way = [], Cut(frame, size)
    while not under_way.is_done:
        parts.append(under_way.next())
    return parts


async def linked(*peers: Peer) -> None:
    async with asyncio.timeout(10):
        while not all(len(peer.connected_peers) == len(peers) - 1 for peer in peers):
            await asyncio.sleep(0)


async def say(channel, *frames: bytes) -> None:
    for frame in frames:
        await channel.send(frame)


async def read_to_the_end(channel) -> None:
    while True:
        await channel.receive()


@pytest.mark.parametrize("max_message", [256 * 1024, 16 * 1024, 500])
async def test_all_kinds_of_messages_pass_whatever_the_channel_takes_at_once(make_device, monkeypatch, max_message):
    monkeypatch.setattr("hallway.testing.memory.channel.MAX_MESSAGE", max_message)
    async with make_device("one") as one, make_device("two") as two, asyncio.timeout(20):
        await linked(one, two)
        heard = two.messages()
        sent = [["x" * size] for size in (1, 400, 5_000, 20_000, 300_000)] + [[number] * 50 for number in range(200)]
        for durable in (True, False):
            for message in sent:
                await one.send_to_peer("two", message, durable=durable)
            got = [(await anext(heard))[1] for _ in sent]
            assert got == sent if durable else sorted(got, key=repr) == sorted(sent, key=repr)
        assert one.connected_peers == ("two",)


async def test_a_receiver_that_does_not_read_holds_large_messages_back(make_device):
    async with make_device("one") as one, make_device("two") as two, asyncio.timeout(20):
        await linked(one, two)
        pictures = [bytes([number]) * (5 * MIB) for number in range(4)]
        receipts = [await one.send_to_peer("two", picture) for picture in pictures]
        await receipts[0].delivered()
        second = asyncio.create_task(receipts[1].delivered())
        await one.send_to_peer("two", "ping", durable=False)
        heard = two.messages()
        first = [(await anext(heard))[1] for _ in range(2)]
        assert "ping" in first
        assert not second.done()
        first += [(await anext(heard))[1] for _ in range(3)]
        assert [each for each in first if each != "ping"] == pictures
        await second


class TestOldPeers:
    """A stranger that knows no chunks."""

    async def link(self, one):
        channel = await one.dial("tablet-1")
        await one.greet(channel, "tablet-1", **SECTION)
        return channel

    async def test_what_its_channel_does_not_take_is_refused_at_once(self, device, stranger, events):
        await self.link(stranger())
        await events.first(PeerConnected)
        for durable in (True, False):
            with pytest.raises(MessageTooLarge, match="stranger takes"):
                await device.send_to_peer("stranger", bytes(MIB), durable=durable)
            with pytest.raises(MessageTooLarge, match="stranger takes"):
                await device.broadcast(bytes(MIB), durable=durable)

    async def test_what_was_stored_for_it_is_buried_and_the_stream_goes_on(self, device, stranger, events):
        one = stranger()
        channel = await self.link(one)
        await events.first(PeerConnected)
        await channel.aclose()
        await events.first(PeerDisconnected)
        large = await device.send_to_peer("stranger", bytes(MIB))
        small = await device.send_to_peer("stranger", "small")
        channel = await self.link(one)
        with pytest.raises(DeliveryFailed, match="too old"):
            await large.delivered()
        frames = [await one.heard(channel) for _ in range(2)]
        assert isinstance(frames[0], Gap)
        assert (frames[0].first, frames[0].last) == (1, 1)
        assert isinstance(frames[1], Parcels)
        assert [parcel.seq for parcel in frames[1].parcels] == [2]
        await channel.send(encode_parcels(Ack("", frames[1].incarnation, 2, Credit(100, MIB))))
        async with asyncio.timeout(10):
            await small.delivered()


class TestHostilePeers:
    @pytest.mark.parametrize(
        "frames",
        [
            [encode(Chunk(5, 10, b"x"))],
            [encode(Chunk(0, 10, b"x")), encode(Chunk(0, 10, b"x"))],
            [encode(Chunk(0, 10, b"x")), encode(Chunk(1, 12, b"x"))],
            [encode(Chunk(0, 10, b"xxx")), encode(Chunk(2, 10, b"x"))],
            [encode(Chunk(0, MAX_FRAME + 1, b"x"))],
            [encode(Chunk(0, 3000, bytes(1000)))] + [encode(Chunk(1000 * each, 3000, bytes(1000))) for each in range(1, 9)],
            chunks(encode_frame(Ping(1))),
            chunks(encode(Chunk(0, 5, b"x"))),
            chunks(bytes(5000)),
            chunks(says("x" * 3000)[:-1]),
        ],
        ids=["no begin", "two begins", "other total", "overlap", "huge", "endless", "ping", "chunk in chunks", "no frame", "cut short"],
    )
    async def test_one_that_breaks_the_rules_ends_its_link_and_no_other(self, device, stranger, events, frames):
        good = await stranger("good").link("tablet-1")
        bad = await stranger("bad").link("tablet-1")
        await events.first(PeerConnected)
        first, *rest = chunks(says("y" * 3000))
        await good.send(first)
        await say(bad, *frames)
        assert await events.first(PeerDisconnected) == PeerDisconnected("bad", "protocol")
        await say(good, *rest)
        assert await events.first(MessageReceived) == MessageReceived("good", "y" * 3000, message_ids(7, 1, 1)[0])
        assert device.connected_peers == ("good",)

    async def test_a_chunk_before_hello_ends_the_channel(self, device, stranger):
        channel = await stranger().dial("tablet-1")
        await say(channel, *chunks(says("x" * 3000)))
        async with asyncio.timeout(10):
            with pytest.raises(ChannelClosed):
                await read_to_the_end(channel)
        assert device.connected_peers == ()


class TestAPeerThatNeverEndsALargeMessage:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch):
        """A little longer than nothing, beside the five seconds of a link."""
        monkeypatch.setattr("hallway.runtime.links.conversation.REST_SECONDS", 0.1 - Timing().lost_after)

    async def test_loses_its_link_with_the_reason_and_no_other_does(self, device, stranger, events):
        good, bad = stranger("good"), stranger("bad")
        alive, channel = await good.link("tablet-1"), await bad.link("tablet-1")
        await events.first(PeerConnected)
        await channel.send(encode(Chunk(0, 3 * MIB, bytes(16_000))))
        error = await events.first(ErrorHappened)
        assert (error.code, "began a frame of 3145728 bytes" in error.message) == ("protocol", True), error
        assert await events.first(PeerDisconnected) == PeerDisconnected("bad", "protocol")
        await alive.send(says("still here"))
        assert (await events.first(MessageReceived)).message == "still here"

    async def test_but_not_while_this_device_does_not_read_what_it_sends(self, device, stranger, events, monkeypatch):
        monkeypatch.setattr("hallway.runtime.links.conversation.SURPLUS_BYTES", 0)
        monkeypatch.setattr("hallway.runtime.publishing.room.Room.limit", 1000)
        peer = stranger()
        channel = await peer.link("tablet-1")
        events.close()
        inbox = device.messages()
        first, *others = chunks(says("x" * 40_000), 16_000)
        await say(channel, first, says("x" * 5000), *others)
        # Longer than the peer may be silent.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await read_to_the_end(channel)
        async with asyncio.timeout(10):
            assert [len((await anext(inbox))[1]) for _ in range(2)] == [5000, 40_000]
