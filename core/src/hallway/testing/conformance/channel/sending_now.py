"""What is sent without waiting, beside what waits."""

from __future__ import annotations

import asyncio

import pytest

from hallway.errors import ChannelClosed, ClosedError, MessageTooLarge
from hallway.interfaces import Channel
from hallway.testing.conformance.bench import soon, turns, until
from hallway.testing.conformance.channel.bench import ChannelBase, ChannelBench, Ends, number_of
from hallway.testing.conformance.channel.flow import LIMIT, PIECE
from hallway.testing.conformance.channel.messages import KINDS
from hallway.testing.conformance.suite import requires

QUEUE = 4
"""Senders that wait at once."""
MIXED = 60
"""Messages of which some are sent now, and others wait."""


def fill(ends: Ends) -> int:
    """Send numbered pieces until the channel is crowded; returns how many it took."""
    size = len(ends.chunk(0, PIECE))
    for number in range(LIMIT // size):
        if not ends.near.send_now(ends.chunk(number, PIECE)):
            return number
    raise AssertionError(f"{LIMIT} bytes were sent although nobody read")


async def _numbers(channel: Channel, count: int) -> list[int]:
    return [number_of(await channel.receive()) for _ in range(count)]


class SendingNow(ChannelBase):
    """`send_now` sends a message or does nothing, and overtakes nobody."""

    async def test_an_idle_channel_sends_now_exactly_if_that_is_declared(self, ends: Ends) -> None:
        """A channel that never sends without waiting says so, and what it did not take does not arrive."""
        for sender, receiver in ((ends.near, ends.far), (ends.far, ends.near)):
            assert sender.send_now("now") is self.capabilities.sends_now
            await sender.send("then")
            expected = ["now", "then"] if self.capabilities.sends_now else ["then"]
            assert [await receiver.receive() for _ in expected] == expected

    async def test_a_channel_that_is_not_open_yet_sends_nothing_now(self, bench: ChannelBench) -> None:
        """Before the channel opens `send_now` returns False, and what it was given never arrives."""
        half = await bench.halfway()
        assert half.answering.send_now("early") is False
        dialed = await half.dialing.accept(half.answer)
        bench.closes(dialed.aclose)
        await asyncio.gather(dialed.opened(soon()), half.answering.opened(soon()))
        await half.answering.send("open")
        assert await dialed.receive() == "open"

    @requires("sends_now")
    async def test_what_is_sent_now_arrives_once_unchanged_and_in_order(self, ends: Ends) -> None:
        """Each message for which `send_now` returns True arrives as it was; those that it leaves go by `send`."""
        for sender, receiver in ((ends.near, ends.far), (ends.far, ends.near)):
            sent = [*KINDS, *map(str, range(300))]
            for message in sent:
                if not sender.send_now(message):
                    await sender.send(message)
            received = [await receiver.receive() for _ in sent]
            assert [(type(message), message) for message in received] == [(type(message), message) for message in sent]

    @requires("sends_now")
    async def test_a_crowded_channel_sends_nothing_now_until_there_is_room(self, bench: ChannelBench, ends: Ends) -> None:
        """`send_now` alone piles up no more than `send` does: it refuses what there is no room for, and takes it once there is."""
        count = fill(ends)
        reading = bench.spawn(_numbers(ends.far, count + 1))
        await until(lambda: ends.near.send_now(ends.chunk(count)), "there was room again after the peer had read")
        assert await reading == list(range(count + 1))

    @requires("sends_now")
    async def test_nobody_who_waits_to_send_is_overtaken(self, bench: ChannelBench, ends: Ends) -> None:
        """While any `send` waits, for room or for its turn, `send_now` returns False; between two of them too."""
        count = fill(ends)
        waiting = [bench.spawn(ends.near.send(ends.chunk(count + place, PIECE))) for place in range(QUEUE)]
        await turns(1)
        reading = bench.spawn(_numbers(ends.far, count + QUEUE + 1))
        while not all(sending.done() for sending in waiting):
            assert ends.near.send_now(b"0:overtakes") is False
            await turns(1)
        await ends.near.send(ends.chunk(count + QUEUE))
        assert await reading == list(range(count + QUEUE + 1))
        await asyncio.gather(*waiting)

    @requires("sends_now")
    async def test_it_keeps_the_order_of_calls_with_send(self, bench: ChannelBench, ends: Ends) -> None:
        """Messages that are sent now and by waiting tasks, in turn, arrive in the order of the calls."""
        count = fill(ends)
        sending = [bench.spawn(ends.near.send(ends.chunk(count + place, PIECE))) for place in range(QUEUE)]
        # A task makes its call when it first runs.
        await turns(1)
        reading = bench.spawn(_numbers(ends.far, count + QUEUE + MIXED))
        for number in range(count + QUEUE, count + QUEUE + MIXED):
            if not ends.near.send_now(ends.chunk(number)):
                sending.append(bench.spawn(ends.near.send(ends.chunk(number))))
            await turns(1 + number % 3)
        assert await reading == list(range(count + QUEUE + MIXED))
        await asyncio.gather(*sending)

    @requires("sends_now")
    async def test_a_cancelled_send_stands_in_nobodys_way(self, bench: ChannelBench, ends: Ends) -> None:
        """Once all who waited have been cancelled, and there is room, a message is sent now again."""
        count = fill(ends)
        waiting = [bench.spawn(ends.near.send(b"%d:cancelled" % (count + place))) for place in range(QUEUE)]
        await turns(2)
        for sending in waiting:
            sending.cancel()
        await asyncio.wait(waiting)
        reading = bench.spawn(_numbers(ends.far, count))
        assert await reading == list(range(count))
        await until(lambda: ends.near.send_now("now"), "there was room again after the peer had read")

    @requires("sends_now")
    async def test_one_byte_more_is_refused_now_too_and_nothing_sent(self, ends: Ends) -> None:
        """`MessageTooLarge` as from `send`, also of a crowded channel; the largest message passes."""
        largest = ends.near.max_message
        messages: list[str | bytes] = [bytes(largest + 1), "ü" * (largest // 2 + 1)]
        for message in messages:
            with pytest.raises(MessageTooLarge):
                ends.near.send_now(message)
        assert ends.near.send_now(bytes(largest))
        assert await ends.far.receive() == bytes(largest)
        fill(ends)
        with pytest.raises(MessageTooLarge):
            ends.near.send_now(messages[0])

    @requires("sends_now")
    async def test_a_closed_end_refuses_to_send_now(self, ends: Ends) -> None:
        """After `aclose` it raises `ClosedError`, and delivers what was sent now before that."""
        assert ends.near.send_now("before")
        await ends.near.aclose()
        with pytest.raises(ClosedError):
            ends.near.send_now("after")
        assert await ends.far.receive() == "before"
        with pytest.raises(ChannelClosed):
            await ends.far.receive()

    @requires("sends_now")
    async def test_sending_now_to_a_peer_that_has_closed_says_so(self, ends: Ends) -> None:
        """Once the end has been seen, it raises `ChannelClosed`."""
        await ends.far.aclose()
        with pytest.raises(ChannelClosed):
            await ends.near.receive()
        with pytest.raises(ChannelClosed):
            ends.near.send_now("into the void")
