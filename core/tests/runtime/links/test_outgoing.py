from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from hallway.errors import BadMessage, ChannelClosed, MessageTooLarge, PeerUnavailable
from hallway.protocol.batches import LONE, MESSAGES, OVERHEAD
from hallway.protocol.frames import Bye, Messages, Ping, Response, decode
from hallway.protocol.packed import pack
from hallway.runtime.links.outgoing import BACKLOG_BYTES, BATCH_BYTES, LONE_BYTES, MAX_FRAMES, Outgoing
from hallway.testing.memory.channel import MemoryChannel


@pytest.fixture
async def ends():
    near, far = MemoryChannel(), MemoryChannel()
    near.join(far)
    yield near, far
    await near.aclose()
    await far.aclose()


@contextlib.asynccontextmanager
async def sending(outgoing: Outgoing):
    task = asyncio.create_task(outgoing.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def received(far: MemoryChannel, outgoing: Outgoing) -> list:
    """Everything that was put, as frames."""
    async with sending(outgoing):
        await outgoing.drained()
    frames = []
    while far._inbox:
        frames.append(decode(await far.receive()))
    return frames


def values(frames: list) -> list:
    return [item.value for frame in frames if isinstance(frame, Messages) for item in frame.items]


async def test_many_small_messages_share_a_frame_in_their_order(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    ids = [await outgoing.put(pack(number)) for number in range(50)]
    (frame,) = await received(far, outgoing)
    assert [item.id for item in frame.items] == ids
    assert values([frame]) == list(range(50))


async def test_a_frame_has_at_most_a_batch_of_bytes_unless_one_message_is_larger(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    third = BATCH_BYTES // 3 - 200
    sizes = [third, third, third, third, BATCH_BYTES * 2, 1, 1]
    for size in sizes:
        await outgoing.put(pack("x" * size))
    frames = await received(far, outgoing)
    assert [len(frame.items) for frame in frames] == [3, 1, 1, 2]
    assert [len(value) for value in values(frames)] == sizes


async def test_frames_stay_within_what_the_channel_takes(ends):
    near, far = ends
    near.max_message = 1000
    outgoing = Outgoing(near, "b", plain=False)
    for _ in range(30):
        await outgoing.put(pack("x" * 200))
    assert len(values(await received(far, outgoing))) == 30


async def test_control_frames_go_before_messages_that_wait(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    await outgoing.put(pack(1))
    outgoing.frame(Ping(1))
    outgoing.frame(Bye())
    frames = await received(far, outgoing)
    assert frames[:2] == [Ping(1), Bye()]
    assert values(frames) == [1]


async def test_the_largest_message_passes_and_a_larger_one_is_refused_at_once(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    room = near.max_message - OVERHEAD - len(pack("")) - 4
    with pytest.raises(MessageTooLarge, match="takes"):
        await outgoing.put(pack("x" * (room + 1)))
    await outgoing.put(pack("x" * room))
    assert len(values(await received(far, outgoing))[0]) == room


async def test_size_counts_bytes_and_not_characters(ends):
    near, _ = ends
    outgoing = Outgoing(near, "b", plain=False)
    with pytest.raises(MessageTooLarge):
        await outgoing.put(pack("é" * (near.max_message // 2)))


async def test_a_sender_waits_while_the_backlog_is_full_and_goes_on_when_it_is_not(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    large = pack("x" * (BACKLOG_BYTES // 2))
    await outgoing.put(large)
    await outgoing.put(large)
    third = asyncio.create_task(outgoing.put(large))
    await asyncio.sleep(0)
    assert not third.done()
    async with sending(outgoing):
        await third
        await outgoing.drained()
    assert len(far._inbox) == 3


async def test_a_sender_that_is_cancelled_while_it_waits_has_sent_nothing(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    for _ in range(2):
        await outgoing.put(pack("x" * (BACKLOG_BYTES // 2)))
    third = asyncio.create_task(outgoing.put(pack("never")))
    await asyncio.sleep(0)
    third.cancel()
    await asyncio.wait([third])
    assert "never" not in values(await received(far, outgoing))


async def test_the_end_of_the_channel_ends_the_writer_and_wakes_who_waits(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    for _ in range(2):
        await outgoing.put(pack("x" * (BACKLOG_BYTES // 2)))
    waiting = asyncio.create_task(outgoing.put(pack(3)))
    await asyncio.sleep(0)
    await far.aclose()
    with pytest.raises(ChannelClosed):
        await outgoing.run()
    with pytest.raises(PeerUnavailable, match="b has just gone down"):
        await waiting
    with pytest.raises(PeerUnavailable):
        await outgoing.put(pack(4))
    await outgoing.drained()


async def test_drained_waits_for_what_the_channel_has_not_taken(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    await outgoing.drained()
    await outgoing.put(pack(1))
    drained = asyncio.create_task(outgoing.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    async with sending(outgoing):
        await drained
    assert len(far._inbox) == 1


async def test_plain_mode_is_one_json_text_a_message_and_never_a_frame(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=True)
    outgoing.frame(Bye())
    await outgoing.put(pack({"a": 1}))
    await outgoing.put(pack([2]))
    async with sending(outgoing):
        await outgoing.drained()
    assert [await far.receive(), await far.receive()] == ['{"a":1}', "[2]"]


async def test_while_the_peer_has_no_room_messages_wait_and_frames_pass(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    outgoing.hold(paused=True)
    await outgoing.put(pack("later"))
    async with sending(outgoing):
        outgoing.frame(Ping(7))
        assert decode(await far.receive()) == Ping(7)
        outgoing.hold(paused=False)
        assert values([decode(await far.receive())]) == ["later"]


async def test_the_last_word_passes_whatever_the_peer_has_no_room_for(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    outgoing.hold(paused=True)
    await outgoing.put(pack("never"))
    outgoing.finish(Bye())
    async with sending(outgoing):
        assert decode(await far.receive()) == Bye()


class TestAMessageThatWaitsForNothing:
    @contextlib.asynccontextmanager
    async def ready(self, ends, *, lone: bool = True):
        """What sends to a peer that reads lone messages, or not."""
        outgoing = Outgoing(ends[0], "b", plain=False)
        async with sending(outgoing):
            if lone:
                outgoing.allow_lone()
            await asyncio.sleep(0)
            yield outgoing

    async def test_is_with_the_channel_when_the_call_returns(self, ends):
        async with self.ready(ends) as outgoing:
            message_id = outgoing.put_now(pack("now"))
            assert decode(ends[1]._inbox[0]).items == ((message_id, "now"),)
            assert ends[1]._inbox[0][0] == LONE

    async def test_the_next_one_of_the_same_turn_waits_for_others_and_shares_their_frame(self, ends):
        async with self.ready(ends) as outgoing:
            assert outgoing.put_now(pack(1))
            assert outgoing.put_now(pack(2)) is None
            for number in (2, 3):
                await outgoing.put(pack(number))
            await outgoing.drained()
            frames = [decode(await ends[1].receive()) for _ in range(2)]
            assert [[item.value for item in frame.items] for frame in frames] == [[1], [2, 3]]
            assert outgoing.put_now(pack(4))

    async def test_overtakes_none_that_waits(self, ends):
        async with self.ready(ends) as outgoing:
            outgoing.hold(paused=True)
            assert outgoing.put_now(pack("held")) is None
            await outgoing.put(pack("held"))
            outgoing.hold(paused=False)
            assert outgoing.put_now(pack("late")) is None

    async def test_a_peer_that_knows_no_lone_messages_gets_none(self, ends):
        async with self.ready(ends, lone=False) as outgoing:
            assert outgoing.put_now(pack("now")) is None
            await outgoing.put(pack("now"))
            assert ends[1]._inbox[0][0] == MESSAGES

    async def test_one_that_is_worth_squeezing_goes_as_a_frame_of_its_own(self, ends):
        async with self.ready(ends) as outgoing:
            assert outgoing.put_now(pack("x" * 1000))
            assert len(ends[1]._inbox[0]) < 200
            assert values([decode(ends[1]._inbox[0])]) == ["x" * 1000]

    async def test_more_than_goes_alone_is_not_taken(self, ends):
        ends[0].max_message = 500
        async with self.ready(ends) as outgoing:
            assert outgoing.put_now(bytes(500)) is None
            ends[0].max_message = 10**6
            outgoing.allow_lone()
            assert outgoing.put_now(pack(bytes(LONE_BYTES + 1))) is None

    async def test_a_channel_that_sends_nothing_without_waiting_is_given_it_by_put(self, ends, monkeypatch):
        monkeypatch.setattr(MemoryChannel, "send_now", lambda *_: False)
        async with self.ready(ends) as outgoing:
            assert outgoing.put_now(pack("now")) is None
            await outgoing.put(pack("put"))
            assert values([decode(await ends[1].receive())]) == ["put"]

    async def test_at_the_end_of_the_channel_there_is_nobody_to_take_it(self, ends):
        async with self.ready(ends) as outgoing:
            await ends[1].aclose()
            with pytest.raises(PeerUnavailable, match="b has just gone down"):
                outgoing.put_now(pack("never"))

    async def test_after_the_writer_has_ended_it_is_not_sent(self, ends):
        async with self.ready(ends) as outgoing:
            pass
        assert outgoing.put_now(pack("never")) is None


class Acknowledging(MemoryChannel):
    """Its other end acknowledges when the test says so."""

    acknowledged = 0
    under_way = 0

    @property
    def acknowledged_bytes(self):
        return self.acknowledged

    @property
    def buffered(self):
        return self.under_way


class Stuck(MemoryChannel):
    """Its other end never takes anything."""

    async def send(self, message: str | bytes) -> None:
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def watched(outgoing: Outgoing, told: list[str]):
    task = asyncio.create_task(outgoing.watch(lambda: told.append("proved")))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_what_the_peer_acknowledges_is_told_as_proof(monkeypatch):
    monkeypatch.setattr("hallway.runtime.links.outgoing.LOOK_SECONDS", 0)
    near, far = Acknowledging(), MemoryChannel()
    near.join(far)
    outgoing, told = Outgoing(near, "b", plain=False), []
    near.under_way = 10
    async with watched(outgoing, told), sending(outgoing):
        outgoing.frame(Ping(1))
        await far.receive()
        for _ in range(10):
            await asyncio.sleep(0)
        assert told == []
        near.acknowledged, near.under_way = 10, 0
        while not told:
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
    assert told == ["proved"]


async def test_a_plain_peer_that_takes_nothing_while_more_is_waiting_is_given_up(monkeypatch):
    monkeypatch.setattr("hallway.runtime.links.outgoing.LOOK_SECONDS", 0)
    monkeypatch.setattr("hallway.runtime.links.outgoing.STALL_SECONDS", 0.0)
    near = Acknowledging()
    near.join(MemoryChannel())
    near.under_way = 10
    outgoing = Outgoing(near, "b", plain=True)
    await outgoing.put(pack(1))
    async with watched(outgoing, []) as task:
        with pytest.raises(ChannelClosed, match="has taken nothing"):
            await task


async def test_a_plain_peer_that_takes_nothing_of_a_single_large_message_is_given_up(monkeypatch):
    monkeypatch.setattr("hallway.runtime.links.outgoing.LOOK_SECONDS", 0)
    monkeypatch.setattr("hallway.runtime.links.outgoing.STALL_SECONDS", 0.0)
    near = Stuck()
    near.join(MemoryChannel())
    outgoing = Outgoing(near, "b", plain=True)
    async with sending(outgoing), watched(outgoing, []) as task, asyncio.timeout(20):
        await asyncio.sleep(0)
        await outgoing.put(pack("x" * 200_000))
        with pytest.raises(ChannelClosed, match="has taken nothing"):
            await task


async def test_a_peer_that_takes_nothing_does_not_make_us_queue_answers(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=False)
    for number in range(2 * MAX_FRAMES):
        outgoing.frame(Response(number))
    outgoing.finish(Bye())
    frames = await received(far, outgoing)
    assert len(frames) == MAX_FRAMES + 1
    assert frames[-1] == Bye()


async def test_what_waits_when_a_link_moves_goes_over_the_new_channel_and_so_does_what_is_put_late(ends):
    near, far = ends
    old = MemoryChannel()
    old.join(MemoryChannel())
    before, after = Outgoing(old, "b", plain=False), Outgoing(near, "b", plain=False)
    large = ["x" * (BACKLOG_BYTES // 2), "y" * (BACKLOG_BYTES // 2)]
    for text in large:
        await before.put(pack(text))
    late = asyncio.create_task(before.put(pack("late")))
    await asyncio.sleep(0)
    assert not late.done()
    before.hand_over(after)
    async with sending(after):
        heard = values([decode(await far.receive()) for _ in range(3)])
    await late
    assert heard == [*large, "late"]


@pytest.mark.parametrize("plain", [False, True])
async def test_what_the_new_channel_of_a_link_cannot_take_is_lost_with_a_word_and_the_link_goes_on(ends, caplog, plain):
    near, far = ends
    near.max_message = 64 * 1024
    before, after = Outgoing(MemoryChannel(), "b", plain=plain), Outgoing(near, "b", plain=plain)
    for value in ("x" * 100_000, "small"):
        await before.put(pack(value))
    before.hand_over(after)
    async with sending(after), asyncio.timeout(20):
        data = await far.receive()
    assert "small" in data if plain else values([decode(data)]) == ["small"]
    assert "a message of 1000" in caplog.text


async def test_what_the_new_channel_of_a_link_takes_in_chunks_goes_in_chunks(ends):
    near, far = ends
    near.max_message = 64 * 1024
    before, after = Outgoing(MemoryChannel(), "b", plain=False), Outgoing(near, "b", plain=False)
    after.allow_chunks()
    await before.put(pack("x" * 100_000))
    before.hand_over(after)
    async with asyncio.timeout(20):
        assert len(await received(far, after)) > 1


async def test_a_peer_without_frames_gets_json_text_and_no_bytes(ends):
    near, far = ends
    outgoing = Outgoing(near, "b", plain=True)
    with pytest.raises(BadMessage, match="takes JSON only"):
        await outgoing.put(pack({"picture": b"x"}))
    await outgoing.put(pack({"far": 2**70}))
    async with sending(outgoing):
        assert json.loads(await far.receive()) == {"far": 2**70}
