"""Pairs of channels, connected by hand as the runtime does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import attrs
import pytest_asyncio

from hallway.errors import ChannelClosed
from hallway.interfaces import Channel, Connector, Dialing
from hallway.model import Description, IcePolicy
from hallway.plugins import ChannelProvider
from hallway.testing.conformance.bench import Bench, soon
from hallway.testing.conformance.capabilities import ChannelCapabilities
from hallway.testing.conformance.leftovers import nothing_left_running
from hallway.testing.conformance.suite import Make, Suite

MAX_WAITING = 16 * 1024 * 1024
"""Bytes that may wait for a reader."""


@attrs.frozen
class Ends:
    """Two ends of one channel; ``near`` is that of the first device, which has dialed, or answered if the pair is flipped."""

    near: Channel
    far: Channel

    def chunk(self, number: int, size: int = 16 * 1024) -> bytes:
        """A message of ``size`` bytes, or of the largest size if that is less, which shows its number."""
        head = b"%d:" % number
        return head + bytes(min(size, self.near.max_message) - len(head))


@attrs.frozen
class Halfway:
    """An offer and its answer, not accepted yet."""

    dialing: Dialing
    answer: Description
    answering: Channel


def number_of(message: str | bytes) -> int:
    """The number of a chunk."""
    assert isinstance(message, bytes)
    return int(message.partition(b":")[0])


async def drain(channel: Channel) -> tuple[list[str | bytes], ChannelClosed]:
    """Everything until the channel ends, and how it ended."""
    received: list[str | bytes] = []
    while True:
        try:
            received.append(await channel.receive())
        except ChannelClosed as error:
            return received, error


class ChannelBench(Bench[Connector]):
    """Two connectors; the second dials if the pair is flipped."""

    def __init__(self, make: Make[Connector], *, flipped: bool) -> None:
        super().__init__(make)
        self.flipped = flipped
        self.dialer = self.connector()
        self.answerer = self.connector()
        if flipped:
            self.dialer, self.answerer = self.answerer, self.dialer

    def connector(self) -> Connector:
        """One more connector."""
        made = self.make(self.info())
        self.closes(made.aclose)
        return made

    async def dial(self, policy: IcePolicy = IcePolicy.LAN) -> Dialing:
        """An offer."""
        dialing = await self.dialer.dial(policy)
        self.closes(dialing.aclose)
        return dialing

    async def halfway(self, policy: IcePolicy = IcePolicy.LAN) -> Halfway:
        """An offer and its answer."""
        dialing = await self.dial(policy)
        answer, answering = await self.answerer.answer(dialing.offer, policy)
        self.closes(answering.aclose)
        return Halfway(dialing, answer, answering)

    async def joined(self, policy: IcePolicy = IcePolicy.LAN) -> Ends:
        """Two ends that are about to open."""
        half = await self.halfway(policy)
        dialed = await half.dialing.accept(half.answer)
        self.closes(dialed.aclose)
        return Ends(half.answering, dialed) if self.flipped else Ends(dialed, half.answering)

    async def connect(self, policy: IcePolicy = IcePolicy.LAN) -> Ends:
        """Two ends of an open channel."""
        ends = await self.joined(policy)
        await asyncio.gather(ends.near.opened(soon()), ends.far.opened(soon()))
        return ends


class ChannelBase(Suite):
    """The fixtures of the channel tests."""

    provider: ChannelProvider
    capabilities: ChannelCapabilities

    def site(self) -> AbstractAsyncContextManager[Make[Connector]]:
        """Where devices can reach each other: yields what makes a device's connector. The author's."""
        raise NotImplementedError("a conformance class says by `site` how its connectors are made")

    @pytest_asyncio.fixture(loop_scope="function")
    async def bench(self, flipped: bool) -> AsyncIterator[ChannelBench]:
        """Two connectors of one site, and nothing left of them afterwards."""
        async with nothing_left_running(), self.site() as make, ChannelBench(make, flipped=flipped) as bench:
            yield bench

    @pytest_asyncio.fixture(loop_scope="function")
    async def ends(self, bench: ChannelBench) -> Ends:
        """An open channel."""
        return await bench.connect()
