"""What comes in goes to the taker, or to who receives; and neither of them can break it."""

from __future__ import annotations

import asyncio
import sys

import attrs
import pytest

from hallway.errors import BusyError, ChannelClosed, ClosedError
from hallway.webrtc.endings import End, EndedBy
from hallway.webrtc.intake import Intake
from hallway.webrtc.life import Life


@attrs.define
class Rig:
    life: Life = attrs.field(factory=Life)
    ends: list[End] = attrs.field(factory=list)
    intake: Intake = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.intake = Intake(self.life, self.finish)
        self.life.begin()

    def finish(self, end: End) -> None:
        self.ends.append(end)
        self.life.finish(end)
        self.intake.wake()

    async def waiting(self) -> asyncio.Task[str | bytes]:
        """A task that waits in `receive`."""
        task = asyncio.create_task(self.intake.receive())
        await asyncio.sleep(0)
        return task


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_a_taker_has_what_comes_while_a_task_waits(rig: Rig) -> None:
    taken: list[str | bytes] = []
    rig.intake.hand_first_to(lambda message: taken.append(message) is None)
    rig.intake.put("nobody waits")
    assert await (await rig.waiting()) == "nobody waits"
    reading = await rig.waiting()
    rig.intake.put("one")
    rig.intake.put("two")
    assert taken == ["one", "two"]
    assert not reading.done()
    reading.cancel()


async def test_a_lone_message_costs_one_call_beside_its_takers(rig: Rig) -> None:
    calls: list[str] = []

    def take(message: str | bytes) -> bool:
        return True

    rig.intake.hand_first_to(take)
    reading = await rig.waiting()
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        rig.intake.put("one")
    finally:
        sys.setprofile(None)
    assert calls == ["put", "take"]
    reading.cancel()


async def test_behind_what_a_taker_left_nothing_is_taken_until_it_was_received(rig: Rig) -> None:
    asked: list[str | bytes] = []
    rig.intake.hand_first_to(lambda message: asked.append(message) is not None)
    reading = await rig.waiting()
    rig.intake.put("left")
    rig.intake.put("behind it")
    assert asked == ["left"]
    assert [await reading, await rig.intake.receive()] == ["left", "behind it"]


async def test_a_taker_that_fails_ends_the_channel_by_no_fault_of_the_peer(rig: Rig) -> None:
    def fail(message: str | bytes) -> bool:
        raise LookupError(message)

    rig.intake.hand_first_to(fail)
    reading = await rig.waiting()
    rig.intake.put("one")
    with pytest.raises(ChannelClosed, match="what takes its messages failed: LookupError"):
        await reading
    assert [end.by for end in rig.ends] == [EndedBy.ERROR]


async def test_a_taker_that_ends_the_channel_and_takes_nothing_leaves_the_message_to_be_received(rig: Rig) -> None:
    def end(message: str | bytes) -> bool:
        rig.finish(End(EndedBy.NETWORK))
        return False

    rig.intake.hand_first_to(end)
    reading = await rig.waiting()
    rig.intake.put("the last")
    assert await reading == "the last"
    with pytest.raises(ChannelClosed, match="the network lost the peer"):
        await rig.intake.receive()


async def test_what_comes_for_a_receiver_that_is_cancelled_at_once_is_kept(rig: Rig) -> None:
    reading = await rig.waiting()
    rig.intake.put("kept")
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()
    assert await rig.intake.receive() == "kept"


async def test_who_sends_what_nobody_reads_ends_its_channel_and_what_came_before_is_handed_out(rig: Rig) -> None:
    piece = bytes(1024 * 1024 - 64)
    for _ in range(18):
        rig.intake.put(piece)
    assert [end.by for end in rig.ends] == [EndedBy.VIOLATION]
    assert [await rig.intake.receive() for _ in range(16)] == [piece] * 16
    with pytest.raises(ChannelClosed, match="it sent more than 16777216 bytes that nobody read"):
        await rig.intake.receive()


async def test_nothing_comes_in_or_out_once_this_end_is_closed(rig: Rig) -> None:
    rig.intake.put("unread")
    rig.life.close()
    rig.intake.put("late")
    assert list(rig.intake.arrivals.messages) == ["unread"]
    with pytest.raises(ClosedError):
        await rig.intake.receive()


async def test_one_task_receives_at_a_time_also_between_its_message_and_its_turn(rig: Rig) -> None:
    reading = await rig.waiting()
    rig.intake.put("one")
    with pytest.raises(BusyError):
        await rig.intake.receive()
    assert await reading == "one"
