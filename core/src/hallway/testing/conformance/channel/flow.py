"""Backpressure and concurrent use."""

from __future__ import annotations

import asyncio

import pytest

from hallway.errors import BusyError, ChannelClosed, RemoteViolation
from hallway.interfaces import Channel
from hallway.testing.conformance.bench import turns, until
from hallway.testing.conformance.channel.bench import MAX_WAITING, ChannelBase, ChannelBench, Ends, drain, number_of
from hallway.testing.conformance.suite import requires

PIECE = 256 * 1024
SOME = 20
"""Chunks that are more than one datagram each, and together less than makes a sender wait for its reader."""
LIMIT = 2 * MAX_WAITING
"""Bytes that a sender must not get rid of while nobody reads."""
STALL = 0.2
"""Seconds without progress after which a sender is taken to wait. If that is wrong the test sees less, and never fails for it."""
PAUSE = 0.001
"""Seconds between two pieces of a flood."""


class Flood:
    """Sends numbered chunks until it is told that they are enough, then the text ``end``."""

    def __init__(self, ends: Ends) -> None:
        self.sent = 0
        self.enough = False
        self.highest = 0
        self._ends = ends

    async def run(self) -> None:
        """Send; fail if nothing makes it wait or end."""
        size = len(self._ends.chunk(0, PIECE))
        while not self.enough:
            assert self.sent * size < LIMIT, f"{LIMIT} bytes were sent although nobody read"
            await self._ends.near.send(self._ends.chunk(self.sent, PIECE))
            self.sent += 1
            self.highest = max(self.highest, self._ends.near.buffered)
            # The other end's library may have threads of its own, in this process: they get the interpreter while it waits.
            await asyncio.sleep(PAUSE)
        await self._ends.near.send("end")

    async def stalled(self, running: asyncio.Task[None]) -> None:
        """Return when the sending has ended or seems to wait."""
        before = -1
        while before != self.sent and not running.done():
            before = self.sent
            await asyncio.wait([running], timeout=STALL)


class Progress:
    """What a channel acknowledged since this was made."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._start = self._last = self._told()

    def _told(self) -> int:
        told = self._channel.acknowledged_bytes
        assert told is not None
        return told

    def look(self) -> int:
        """Bytes; they must not be fewer than at the last look."""
        told = self._told()
        assert told >= self._last, f"{self._last} bytes were acknowledged, and then {told}"
        self._last = told
        return told - self._start

    async def reaches(self, size: int) -> None:
        """Wait until ``size`` bytes are acknowledged."""
        await until(lambda: self.look() >= size, f"{size} bytes were acknowledged")


async def _taken(channel: Channel, count: int) -> list[str | bytes]:
    return [await channel.receive() for _ in range(count)]


class Flow(ChannelBase):
    """A fast sender does no harm, and tasks do not disturb each other."""

    @requires("waits_for_reader")
    async def test_a_sender_waits_for_a_reader_and_goes_on(self, bench: ChannelBench, ends: Ends) -> None:
        """Where nobody reads `send` waits before much has piled up, and resumes without a loss when somebody does."""
        flood = Flood(ends)
        running = bench.spawn(flood.run())
        await flood.stalled(running)
        assert not running.done()
        assert flood.highest <= MAX_WAITING
        flood.enough = True
        received = []
        while (message := await ends.far.receive()) != "end":
            received.append(number_of(message))
        await running
        assert received == list(range(flood.sent))

    @requires("ends_at_flood")
    async def test_a_peer_that_floods_an_absent_reader_ends_its_own_channel(self, ends: Ends) -> None:
        """At most 16 MiB wait for a reader. What came before the end is still handed out, and the end is the peer's violation."""
        flood = Flood(ends)
        with pytest.raises(ChannelClosed):
            await flood.run()
        received, error = await drain(ends.far)
        assert [number_of(message) for message in received] == list(range(len(received)))
        assert sum(map(len, received)) <= MAX_WAITING
        assert isinstance(error.__cause__, RemoteViolation)

    async def test_acknowledged_bytes_are_told_exactly_if_they_are_declared(self, ends: Ends) -> None:
        """A channel that cannot tell what has arrived at the peer says None, not a guess."""
        for end in (ends.near, ends.far):
            assert (end.acknowledged_bytes is not None) is self.capabilities.tells_acknowledged

    @requires("tells_acknowledged")
    async def test_acknowledged_bytes_grow_to_all_that_was_sent_and_never_fall(self, bench: ChannelBench, ends: Ends) -> None:
        """Every look at `acknowledged_bytes` shows as many as the one before or more, and in the end all that was sent, either way."""
        for sender, receiver in ((ends.near, ends.far), (ends.far, ends.near)):
            progress = Progress(sender)
            reading = bench.spawn(_taken(receiver, SOME))
            for number in range(SOME):
                progress.look()
                await sender.send(ends.chunk(number))
            await reading
            await progress.reaches(SOME * len(ends.chunk(0)))

    @requires("tells_acknowledged")
    async def test_a_reader_that_does_not_read_holds_back_no_acknowledgement(self, ends: Ends) -> None:
        """Acknowledged is what has arrived, whether or not somebody has read it: it shows that the way there works."""
        progress = Progress(ends.near)
        for number in range(SOME):
            await ends.near.send(ends.chunk(number))
        await progress.reaches(SOME * len(ends.chunk(0)))

    @requires("tells_acknowledged")
    async def test_only_what_was_sent_is_acknowledged(self, ends: Ends) -> None:
        """What the peer sends us does not count, and nothing counts that was not sent."""
        progress = Progress(ends.near)
        await ends.far.send(ends.chunk(0))
        await ends.near.receive()
        assert progress.look() < len(ends.chunk(0))

    async def test_many_senders_at_once_pile_up_no_more_than_one(self, bench: ChannelBench, ends: Ends) -> None:
        """However many tasks send, what is under way stays under 16 MiB while nobody reads."""
        size = len(ends.chunk(0, PIECE))
        for number in range(LIMIT // size):
            bench.spawn(ends.near.send(ends.chunk(number, PIECE)))
        await turns(50)
        assert ends.near.buffered <= MAX_WAITING

    async def test_concurrent_senders_keep_the_order_of_their_calls(self, bench: ChannelBench, ends: Ends) -> None:
        """Any number of tasks may send; their messages arrive whole, in the order of the calls."""
        tasks = [bench.spawn(ends.near.send(ends.chunk(number, 30_000))) for number in range(40)]
        assert [await ends.far.receive() for _ in tasks] == [ends.chunk(number, 30_000) for number in range(40)]
        await asyncio.gather(*tasks)

    async def test_who_waits_for_room_is_not_overtaken(self, bench: ChannelBench, ends: Ends) -> None:
        """A call that finds room again comes after those that have waited for it."""
        chunks = [ends.chunk(number, PIECE) for number in range(4)]
        reading = bench.spawn(_taken(ends.far, len(chunks)))
        first, *waiting = [bench.spawn(ends.near.send(chunk)) for chunk in chunks[:-1]]
        while not first.done():
            await turns(1)
        await ends.near.send(chunks[-1])
        assert list(map(number_of, await reading)) == list(range(len(chunks)))
        await asyncio.gather(first, *waiting)

    async def test_only_one_task_may_receive(self, bench: ChannelBench, ends: Ends) -> None:
        """A second receiver gets `BusyError`; the first one gets its message, and then another may receive."""
        first = bench.spawn(ends.far.receive())
        await turns(3)
        with pytest.raises(BusyError):
            await ends.far.receive()
        await ends.near.send("one")
        await ends.near.send("two")
        assert await first == "one"
        assert await ends.far.receive() == "two"

    async def test_channels_of_the_same_two_devices_do_not_mix(self, bench: ChannelBench) -> None:
        """Several channels between two connectors are independent: messages and ends stay in their own."""
        several = [await bench.connect() for _ in range(3)]
        for number, ends in enumerate(several):
            await ends.near.send(str(number))
        assert [await ends.far.receive() for ends in several] == ["0", "1", "2"]
        await several[0].near.aclose()
        await several[1].near.send("still open")
        assert await several[1].far.receive() == "still open"
