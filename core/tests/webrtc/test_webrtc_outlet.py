"""Who has to wait sends in the order of the calls."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from hallway.errors import ChannelClosed, ClosedError, DeadlineExceeded
from hallway.webrtc.endings import End, EndedBy
from hallway.webrtc.life import Life
from hallway.webrtc.outlet import Outlet


@attrs.define
class Rig:
    """A channel that has room for as many messages as the test says."""

    life: Life = attrs.field(factory=Life)
    sent: list[str | bytes] = attrs.field(factory=list)
    most: int = 0
    outlet: Outlet = attrs.field(init=False)
    _grown: asyncio.Event = attrs.field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        self.outlet = Outlet(self.life, self.room, self.sent.append)

    async def room(self) -> None:
        self.life.check()
        while len(self.sent) >= self.most:
            self._grown.clear()
            await self._grown.wait()
            self.life.check()

    def grow(self, most: int) -> None:
        self.most = most
        self._grown.set()

    def end(self) -> None:
        self.life.finish(End(EndedBy.PEER))
        self._grown.set()

    async def waiting(self, *messages: str) -> list[asyncio.Task[None]]:
        """A task for each message, all of which wait."""
        tasks = [asyncio.create_task(self.outlet.send(message)) for message in messages]
        await turns()
        return tasks


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_they_wait_for_the_channel_to_open_and_for_room_and_go_in_order(rig: Rig) -> None:
    rig.grow(2)
    tasks = await rig.waiting("one", "two", "three")
    assert (rig.sent, rig.outlet.waiting) == ([], 3)
    rig.life.begin()
    await turns()
    # The second has used up the room: it waits for more, and the third for its turn.
    assert (rig.sent, [task.done() for task in tasks], rig.outlet.waiting) == (["one", "two"], [True, False, False], 2)
    rig.grow(4)
    await asyncio.gather(*tasks)
    assert (rig.sent, rig.outlet.waiting) == (["one", "two", "three"], 0)


async def test_somebody_waits_also_while_the_turn_passes_from_one_to_the_next(rig: Rig) -> None:
    rig.life.begin()
    tasks = await rig.waiting("one", "two", "three")
    rig.grow(9)
    while not all(task.done() for task in tasks):
        assert rig.outlet.waiting
        await asyncio.sleep(0)
    assert not rig.outlet.waiting


async def test_who_only_waits_for_room_does_so_behind_the_others(rig: Rig) -> None:
    rig.life.begin()
    sending = await rig.waiting("one")
    settling = asyncio.create_task(rig.outlet.settle())
    await turns()
    rig.grow(1)
    await turns()
    assert (rig.sent, settling.done()) == (["one"], False)
    rig.grow(2)
    await asyncio.gather(*sending, settling)


async def test_who_is_cancelled_has_sent_nothing_and_waits_no_more(rig: Rig) -> None:
    rig.life.begin()
    tasks = await rig.waiting("one", "two", "three")
    tasks[0].cancel()
    tasks[1].cancel()
    await turns()
    assert rig.outlet.waiting == 1
    rig.grow(2)
    await asyncio.wait(tasks)
    assert (rig.sent, rig.outlet.waiting) == (["three"], 0)


async def test_all_who_wait_hear_of_the_end(rig: Rig) -> None:
    rig.life.begin()
    tasks = await rig.waiting("one", "two")
    rig.end()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ChannelClosed, ChannelClosed]
    assert (rig.sent, rig.outlet.waiting) == ([], 0)


async def test_a_channel_opens_in_time_or_says_why_not(rig: Rig) -> None:
    now = asyncio.get_running_loop().time
    with pytest.raises(DeadlineExceeded):
        await rig.life.opened(now())
    rig.life.begin()
    await rig.life.opened(now() + 10)
    rig.life.finish(End(EndedBy.NETWORK, "it is gone"))
    with pytest.raises(ChannelClosed, match="the network lost the peer: it is gone"):
        await rig.life.opened(now() + 10)
    assert [rig.life.close(), rig.life.close()] == [True, False]
    with pytest.raises(ClosedError):
        rig.life.check()
