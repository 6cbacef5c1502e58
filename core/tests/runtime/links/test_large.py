"""Messages that are larger than the channel takes at once: in chunks, between which all else passes."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from hallway.errors import MessageTooLarge, PeerUnavailable
from hallway.protocol.batches import MESSAGES
from hallway.protocol.chunks import CHUNK_BYTES, MAX_FRAME, MAX_MESSAGE, Assembly, Chunk
from hallway.protocol.frames import Frame, Messages, Ping, Request, decode, decode_large
from hallway.protocol.packed import pack
from hallway.protocol.parcels import Ack, Credit, Gap, Parcel, Parcels, encode
from hallway.runtime.links.outgoing import Outgoing
from hallway.testing.memory.channel import MemoryChannel

LARGE = random.Random(1).randbytes(10 * CHUNK_BYTES)


@pytest.fixture(autouse=True)
def _one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel takes a message when the one before it has been read."""
    monkeypatch.setattr("hallway.testing.memory.channel.HIGH_WATER", 0)


class Ends:
    """A channel whose one end has an `Outgoing`, and whose other end puts together what comes."""

    def __init__(self, max_message: int) -> None:
        self.near, self.far = MemoryChannel(), MemoryChannel()
        self.near.max_message = max_message
        self.near.join(self.far)
        self.out = Outgoing(self.near, "b", plain=False)
        self.out.allow_chunks()
        self.sizes: list[int] = []
        self._assembly = Assembly()
        self._writer = asyncio.create_task(self.out.run())

    async def next(self) -> Frame:
        """The next frame of the channel, chunks as they are."""
        data = await self.far.receive()
        self.sizes.append(len(data))
        return decode(data)

    async def whole(self) -> Frame:
        """The next frame once it is whole."""
        while True:
            frame = await self.next()
            if not isinstance(frame, Chunk):
                return frame
            if (done := self._assembly.put(frame)) is not None:
                return decode_large(done)

    async def aclose(self) -> None:
        self._writer.cancel()
        await asyncio.wait([self._writer])
        await self.near.aclose()
        await self.far.aclose()


@contextlib.asynccontextmanager
async def joined(max_message: int = 256 * 1024):
    ends = Ends(max_message)
    try:
        async with asyncio.timeout(20):
            yield ends
    finally:
        await ends.aclose()


def parcels(first: int, *bodies: bytes) -> bytes:
    return encode(Parcels("", 1, tuple(Parcel(seq, bytes(16), None, body) for seq, body in enumerate(bodies, first))))


def numbers(frame: Frame) -> list[int]:
    assert isinstance(frame, Parcels)
    return [parcel.seq for parcel in frame.parcels]


@pytest.mark.parametrize("max_message", [256 * 1024, 16 * 1024, 1000])
async def test_a_large_message_arrives_in_pieces_that_the_channel_takes(max_message):
    async with joined(max_message) as ends:
        id_ = await ends.out.put(pack(LARGE))
        frame = await ends.whole()
        assert isinstance(frame, Messages)
        assert [(item.id, item.value) for item in frame.items] == [(id_, LARGE)]
        assert max(ends.sizes) <= min(max_message, CHUNK_BYTES)
        await ends.out.drained()


async def test_text_is_squeezed_piece_by_piece():
    text = "the same words again and again, " * 20_000
    async with joined() as ends:
        await ends.out.put(pack(text))
        assert (await ends.whole()).items[0].value == text
        assert sum(ends.sizes) < len(text) / 10


async def test_small_messages_parcels_and_pings_pass_between_two_chunks():
    async with joined() as ends:
        await ends.out.put(pack(LARGE))
        assert isinstance(await ends.next(), Chunk)
        ends.out.frame(Ping(1))
        await ends.out.put(pack("small"))
        ends.out.parcel(parcels(1, b"\x01"))
        seen = [await ends.next() for _ in range(8)]
        kinds = [type(frame) for frame in seen]
        assert [kinds.count(kind) for kind in (Ping, Messages, Parcels)] == [1, 1, 1]
        assert isinstance(await ends.next(), Chunk)


async def test_a_flood_of_small_messages_does_not_hold_up_a_large_one():
    async with joined() as ends:
        await ends.out.put(pack(LARGE))
        count = 0
        while isinstance(frame := await ends.whole(), Messages) and frame.items[0].value != LARGE:
            count += len(frame.items)
            await ends.out.put(pack("x" * 15_000))
        assert 0 <= count <= 12


async def test_a_second_large_message_waits_for_the_first_and_small_ones_for_none():
    async with joined() as ends:
        ends.out.hold(paused=True)
        first = await ends.out.put(pack(LARGE))
        second = asyncio.create_task(ends.out.put(pack(LARGE)))
        third = asyncio.create_task(ends.out.put(pack(LARGE)))
        small = await ends.out.put(pack("small"))
        await asyncio.sleep(0)
        assert not second.done()
        ends.out.hold(paused=False)
        heard = [(await ends.whole()).items[0].id for _ in range(4)]
        assert [id_ for id_ in heard if id_ != small] == [first, await second, await third]
        assert heard.index(small) == 0


async def test_who_waits_for_room_is_told_when_the_channel_ends():
    async with joined() as ends:
        ends.out.hold(paused=True)
        await ends.out.put(pack(LARGE))
        waiting = asyncio.create_task(ends.out.put(pack(LARGE)))
        await asyncio.sleep(0)
        await ends.far.aclose()
        ends.out.frame(Ping(1))
        with pytest.raises(PeerUnavailable, match="b has just gone down"):
            await waiting


@pytest.mark.parametrize("max_message", [256 * 1024, 1000])
async def test_parcels_keep_their_order_and_acknowledgements_pass(max_message):
    async with joined(max_message) as ends:
        ends.out.parcel(parcels(1, b"\x01"))
        ends.out.parcel(parcels(2, LARGE))
        ends.out.parcel(parcels(3, b"\x03", b"\x04"))
        ends.out.parcel(encode(Gap("", 1, 5, 5)))
        ends.out.parcel(parcels(6, LARGE))
        ends.out.parcel(parcels(7, b"\x07"))
        ends.out.parcel(encode(Ack("", 2, 9, Credit(1, 1))))
        frames = [await ends.whole() for _ in range(7)]
        assert isinstance(frames.pop(next(place for place, frame in enumerate(frames) if isinstance(frame, Ack))), Ack)
        assert numbers(frames[0]) == [1]
        assert numbers(frames[1]) == [2]
        assert numbers(frames[2]) == [3, 4]
        assert frames[3] == Gap("", 1, 5, 5)
        assert [numbers(frame) for frame in frames[4:]] == [[6], [7]]


async def test_an_acknowledgement_does_not_wait_for_the_large_parcel_before_it():
    async with joined() as ends:
        ends.out.parcel(parcels(1, LARGE))
        assert isinstance(await ends.next(), Chunk)
        ends.out.parcel(encode(Ack("", 2, 9, Credit(1, 1))))
        ends.out.parcel(parcels(2, b"\x02"))
        seen = [await ends.next() for _ in range(4)]
        assert any(isinstance(frame, Ack) for frame in seen)
        assert not any(isinstance(frame, Parcels) for frame in seen)


async def test_a_large_message_and_a_large_parcel_go_one_after_the_other():
    async with joined() as ends:
        ends.out.parcel(parcels(1, LARGE))
        ends.out.parcel(parcels(2, LARGE))
        await ends.out.put(pack(LARGE))
        kinds = [type(await ends.whole()) for _ in range(3)]
        assert kinds == [Messages, Parcels, Parcels] or kinds == [Parcels, Messages, Parcels]


async def test_what_is_under_way_is_ended_while_messages_are_held_and_the_writer_rests():
    async with joined() as ends:
        await ends.out.put(pack(LARGE))
        assert isinstance(await ends.next(), Chunk)
        ends.out.hold(paused=True)
        await ends.out.put(pack("held"))
        rest = asyncio.create_task(ends.out.put(pack(LARGE)))
        frames = []
        while not isinstance(frames[-1:] and frames[-1], Ping):
            frames.append(await ends.next())
            if isinstance(frames[-1], Chunk) and frames[-1].offset + len(frames[-1].piece) == frames[-1].total:
                ends.out.frame(Ping(7))
        assert not any(isinstance(frame, Messages) for frame in frames)
        ends.out.parcel(parcels(1, LARGE))
        ends._assembly = Assembly()
        assert numbers(await ends.whole()) == [1]
        rest.cancel()
        await asyncio.wait([rest])


async def test_a_large_control_frame_fits_a_small_channel():
    async with joined(1000) as ends:
        request = Request(1, "roster", "x" * 5000)
        ends.out.frame(request)
        assert await ends.whole() == request


async def test_a_half_sent_message_goes_anew_over_the_channel_that_the_link_moves_to():
    async with joined() as old, joined(1000) as new:
        id_ = await old.out.put(pack(LARGE))
        assert isinstance(await old.next(), Chunk)
        late = asyncio.create_task(old.out.put(pack(LARGE[::-1])))
        await asyncio.sleep(0)
        old.out.hand_over(new.out)
        heard = [(await new.whole()).items[0] for _ in range(2)]
        assert [item.id for item in heard] == [id_, await late]
        assert [item.value for item in heard] == [LARGE, LARGE[::-1]]
        assert isinstance(await old.next(), Chunk)
        await old.out.drained()
        assert sum(old.sizes) < len(LARGE)


async def test_the_largest_message_passes_and_a_larger_one_is_refused_with_a_hint():
    async with joined() as ends:
        room = MAX_MESSAGE - 5
        with pytest.raises(MessageTooLarge, match="takes 16777216") as refused:
            await ends.out.put(pack(bytes(room + 1)))
        assert refused.value.hint
        await ends.out.put(pack(bytes(room)))
        frame = await ends.whole()
        assert len(frame.items[0].value) == room
        assert len(encode(Parcels("x" * 64, 2**64 - 1, (Parcel(2**62, bytes(16), 2**62, bytes(MAX_MESSAGE)),)))) <= MAX_FRAME


async def test_a_peer_that_knows_no_chunks_gets_none_and_no_more_than_the_channel_takes():
    near, far = MemoryChannel(), MemoryChannel()
    near.join(far)
    outgoing = Outgoing(near, "b", plain=False)
    with pytest.raises(MessageTooLarge, match="b takes"):
        await outgoing.put(pack(bytes(256 * 1024)))
    await outgoing.put(pack(LARGE))
    writer = asyncio.create_task(outgoing.run())
    data = await far.receive()
    assert data[0] == MESSAGES
    writer.cancel()
    await asyncio.wait([writer])
    await near.aclose()
    await far.aclose()
