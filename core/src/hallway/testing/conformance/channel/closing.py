"""The end of a channel, from either side, at any time."""

from __future__ import annotations

import asyncio

import pytest

from hallway.errors import ChannelClosed, ClosedError, DeadlineExceeded
from hallway.testing.conformance.bench import soon, turns
from hallway.testing.conformance.channel.bench import ChannelBase, ChannelBench, Ends, drain
from hallway.testing.conformance.channel.flow import Flood

ENDED = (ChannelClosed, ClosedError)
SHORT = 5.0
"""Seconds that bound a close whose own deadline is a fraction of it."""


class Closing(ChannelBase):
    """Closing is prompt, silent when repeated, and seen by the peer after everything else."""

    async def test_closing_wakes_a_waiting_receive(self, bench: ChannelBench, ends: Ends) -> None:
        """A `receive` that waits while this end closes gets `ClosedError`."""
        reading = bench.spawn(ends.near.receive())
        await turns(3)
        await ends.near.aclose()
        with pytest.raises(ClosedError):
            await reading

    async def test_the_peer_gets_everything_and_then_the_end(self, ends: Ends) -> None:
        """Closing delivers what was sent. The peer's `receive` hands all of it out, then raises `ChannelClosed`, every time."""
        sent = [ends.chunk(number, 1000) for number in range(100)]
        for message in sent:
            await ends.near.send(message)
        await ends.near.aclose(soon())
        received, _ = await drain(ends.far)
        assert received == sent
        with pytest.raises(ChannelClosed):
            await ends.far.receive()

    async def test_closing_delivers_what_is_still_under_way(self, bench: ChannelBench, ends: Ends) -> None:
        """With time to deliver, `aclose` loses nothing of a megabyte that was just sent to a peer that reads."""
        draining = bench.spawn(drain(ends.far))
        sent = [ends.chunk(number) for number in range(64)]
        for message in sent:
            await ends.near.send(message)
        await ends.near.aclose(soon())
        assert (await draining)[0] == sent

    async def test_a_waiting_receive_wakes_when_the_peer_closes(self, bench: ChannelBench, ends: Ends) -> None:
        """A `receive` that waits while the peer closes gets `ChannelClosed`."""
        reading = bench.spawn(ends.far.receive())
        await turns(3)
        await ends.near.aclose()
        with pytest.raises(ChannelClosed):
            await reading

    async def test_a_closed_end_refuses_to_send_and_receive(self, ends: Ends) -> None:
        """After `aclose` both raise `ClosedError`, messages that nobody read or not."""
        await ends.far.send("unread")
        await ends.near.aclose()
        with pytest.raises(ClosedError):
            await ends.near.send("after")
        with pytest.raises(ClosedError):
            await ends.near.receive()

    async def test_sending_to_a_peer_that_has_closed_says_so(self, ends: Ends) -> None:
        """Once the end has been seen, `send` raises `ChannelClosed`."""
        await ends.far.aclose()
        with pytest.raises(ChannelClosed):
            await ends.near.receive()
        with pytest.raises(ChannelClosed):
            await ends.near.send("into the void")

    async def test_closing_twice_is_silent(self, ends: Ends) -> None:
        """Any number of times, one after another or at once, on both ends at once, before and after the peer."""
        await asyncio.gather(*(end.aclose() for end in (ends.near, ends.far, ends.near, ends.far)))
        await ends.near.aclose()
        await ends.far.aclose(soon(-1))

    async def test_closing_after_the_peer_is_silent(self, ends: Ends) -> None:
        """An end whose peer has closed still has to be closed, and that works."""
        await ends.near.aclose()
        await drain(ends.far)
        await ends.far.aclose()
        with pytest.raises(ClosedError):
            await ends.far.receive()

    async def test_closing_ends_a_send_that_waits(self, bench: ChannelBench, ends: Ends) -> None:
        """A sender that waits for room gets an error when its own end closes, and the close does not wait for the reader."""
        flood = Flood(ends)
        running = bench.spawn(flood.run())
        await turns(20)
        async with asyncio.timeout(SHORT):
            await ends.near.aclose(soon(0.1))
            with pytest.raises(ENDED):
                await running

    async def test_a_sender_learns_that_the_peer_closed(self, bench: ChannelBench, ends: Ends) -> None:
        """A sender that waits for room, or sends on, gets `ChannelClosed` when the peer closes."""
        running = bench.spawn(Flood(ends).run())
        await turns(20)
        await ends.far.aclose(soon(0.1))
        with pytest.raises(ChannelClosed):
            await running

    async def test_closing_keeps_its_deadline(self, ends: Ends) -> None:
        """What cannot be delivered by the deadline is given up; one that has passed means at once."""
        await ends.near.send("perhaps")
        await ends.far.send("perhaps")
        async with asyncio.timeout(SHORT):
            await ends.near.aclose(soon(-1))
            await ends.far.aclose(soon(0.05))

    async def test_a_channel_that_never_opened_closes_at_once(self, bench: ChannelBench) -> None:
        """An answer that nobody takes is closed without waiting; `opened` then raises, and so does it for a waiting caller."""
        half = await bench.halfway()
        opening = bench.spawn(half.answering.opened(soon()))
        await turns(3)
        async with asyncio.timeout(SHORT):
            await half.answering.aclose(soon())
        with pytest.raises(ENDED):
            await opening
        with pytest.raises(ENDED):
            await half.answering.opened(soon())

    async def test_a_channel_whose_peer_closed_early_does_not_pretend(self, bench: ChannelBench) -> None:
        """Where the answering end closes before the channel opens the other end does not receive or open for ever."""
        half = await bench.halfway()
        await half.answering.aclose()
        dialed = await half.dialing.accept(half.answer)
        bench.closes(dialed.aclose)
        with pytest.raises((ChannelClosed, DeadlineExceeded)):
            await dialed.opened(soon(0.2))
