"""What cancelling does, and does not."""

from __future__ import annotations

import asyncio

import pytest

from hallway.errors import ChannelClosed, ClosedError
from hallway.interfaces import Channel
from hallway.model import IcePolicy
from hallway.testing.conformance.bench import cancelled, soon, turns
from hallway.testing.conformance.channel.bench import ChannelBase, ChannelBench, Ends, drain, number_of
from hallway.testing.conformance.leftovers import Running, left_over

STEPS = (0, 1, 2, 4, 8)
"""Turns of the loop after which something is cancelled: before it began, at its first wait, later."""
ENDED = (ChannelClosed, ClosedError)


class Cancelling(ChannelBase):
    """A cancelled call leaves the channel as if it had not been made, or had been made whole."""

    async def test_a_cancelled_receive_loses_nothing(self, bench: ChannelBench, ends: Ends) -> None:
        """However often receiving is cancelled, before or while a message comes, the next `receive` has it."""
        received: list[int] = []
        for number in range(30):
            reading = bench.spawn(ends.far.receive())
            await turns(number % 3)
            await ends.near.send(ends.chunk(number, 20))
            await cancelled(reading, after=number % 5)
            if not reading.cancelled():
                received.append(number_of(reading.result()))
        await ends.near.send("end")
        while (message := await ends.far.receive()) != "end":
            received.append(number_of(message))
        assert received == list(range(30))

    async def test_a_cancelled_send_sends_all_or_nothing(self, bench: ChannelBench, ends: Ends) -> None:
        """Of messages whose `send` was cancelled each arrives whole and in its place, or not at all; the others all arrive."""
        sending = [bench.spawn(ends.near.send(ends.chunk(number, 60_000))) for number in range(40)]
        for turn, task in enumerate(sending[1::2]):
            await turns(turn % 2)
            task.cancel()
        end = bench.spawn(self._end_after(ends.near, sending))
        received = []
        while (message := await ends.far.receive()) != "end":
            number = number_of(message)
            assert message == ends.chunk(number, 60_000)
            received.append(number)
        await end
        assert received == sorted(set(received))
        assert {number for number, task in enumerate(sending) if not task.cancelled()} <= set(received)

    async def _end_after(self, channel: Channel, sending: list[asyncio.Task[None]]) -> None:
        await asyncio.wait(sending)
        await channel.send("end")

    @pytest.mark.parametrize("after", [0, 1, 2, 5])
    async def test_a_cancelled_close_closes_nevertheless(self, bench: ChannelBench, ends: Ends, after: int) -> None:
        """After a cancelled `aclose` the channel is closed, and the peer sees its end."""
        await ends.near.send("before")
        await cancelled(bench.spawn(ends.near.aclose()), after)
        await ends.near.aclose()
        with pytest.raises(ClosedError):
            await ends.near.send("after")
        received, _ = await drain(ends.far)
        assert received in ([], ["before"])

    async def test_a_cancelled_opened_may_be_called_again(self, bench: ChannelBench) -> None:
        """Giving up to wait for the channel does not end it."""
        ends = await bench.joined()
        await cancelled(bench.spawn(ends.near.opened(soon())), after=1)
        await asyncio.gather(ends.near.opened(soon()), ends.far.opened(soon()))
        await ends.near.send("open")
        assert await ends.far.receive() == "open"

    @pytest.mark.parametrize("after", STEPS)
    async def test_closing_while_it_opens_leaves_nothing(self, bench: ChannelBench, after: int) -> None:
        """Both ends may be closed at any moment of their opening."""
        before = Running()
        ends = await bench.joined()
        opening = bench.spawn(ends.near.opened(soon()))
        await turns(after)
        await asyncio.gather(ends.near.aclose(), ends.far.aclose())
        await asyncio.wait([opening])
        assert opening.exception() is None or isinstance(opening.exception(), ENDED)
        assert await left_over(before) == []

    @pytest.mark.parametrize("after", STEPS)
    async def test_a_cancelled_dial_leaves_nothing(self, bench: ChannelBench, after: int) -> None:
        """A `dial` that is cancelled, at whatever moment, has released what it made."""
        before = Running()
        task = bench.spawn(bench.dialer.dial(IcePolicy.LAN))
        await cancelled(task, after)
        if not task.cancelled():
            await task.result().aclose()
        assert await left_over(before) == []

    @pytest.mark.parametrize("after", STEPS)
    async def test_a_cancelled_answer_leaves_nothing(self, bench: ChannelBench, after: int) -> None:
        """An `answer` that is cancelled, at whatever moment, has released what it made."""
        dialing = await bench.dial()
        before = Running()
        task = bench.spawn(bench.answerer.answer(dialing.offer, IcePolicy.LAN))
        await cancelled(task, after)
        if not task.cancelled():
            await task.result()[1].aclose()
        assert await left_over(before) == []

    @pytest.mark.parametrize("after", STEPS)
    async def test_a_cancelled_prepare_leaves_nothing(self, bench: ChannelBench, after: int) -> None:
        """What a cancelled `prepare` made is released with the connector at the latest, and dialing works still."""
        before = Running()
        connector = bench.connector()
        await cancelled(bench.spawn(connector.prepare()), after)
        await (await connector.dial(IcePolicy.LAN)).aclose()
        await connector.aclose()
        assert await left_over(before) == []
