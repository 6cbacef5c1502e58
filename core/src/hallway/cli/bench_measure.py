"""What is measured, one thing at a time: each returns its figures, and how busy the two devices were with it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from hallway.cli.bench_cpu import Cpu
from hallway.cli.bench_lanes import COUNT, Lane, LinkLane
from hallway.cli.bench_messages import SMALL
from hallway.errors import ChannelClosed

CALLERS = 512
"""Callers side by side that store messages, as an application with much to say has them."""
IN_HAND = 8
"""Messages that each of them has under way."""


@attrs.frozen
class Busy:
    """The share of one core that each of the two devices used and waited for: 1.0 is all of it, and threads can make it more."""

    here: Cpu
    there: Cpu


@attrs.frozen
class Sample:
    """What was counted in one go: milliseconds of each round trip, or messages per second (a single value)."""

    values: tuple[float, ...]
    busy: Busy


class _Watch:
    """Counts time and CPU at this end, from its making on."""

    def __init__(self) -> None:
        self._begin, self._cpu = time.perf_counter(), Cpu.now()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begin

    def busy(self, there: Cpu) -> Busy:
        passed = self.seconds
        return Busy(Cpu.now().since(self._cpu).per(passed), there.per(passed))


async def round_trips(lane: Lane, seconds: float) -> Sample:
    """One question after the other, each alone on its way."""
    await lane.ask(COUNT)
    watch, trips = _Watch(), list[float]()
    for number in itertools.count():
        begin = time.perf_counter()
        await lane.ask(f"ping {number}")
        trips.append((time.perf_counter() - begin) * 1000)
        if watch.seconds >= seconds:
            break
    _, *cpu = await lane.ask(COUNT)
    return Sample(tuple(trips), watch.busy(Cpu(*cpu)))


async def burst(lane: Lane, size: int, seconds: float) -> Sample:
    """Messages of ``size`` bytes as fast as they go, until the peer has the last one."""
    cargo = lane.cargo(size)

    async def send(watch: _Watch) -> int:
        for number, item in enumerate(itertools.cycle(cargo)):
            if watch.seconds >= seconds:
                return number
            await lane.send(item)
        raise AssertionError("a cycle has no end")

    return await _counted(lane, send, lane.ask)


async def stored(lane: LinkLane, seconds: float) -> Sample:
    """Durable messages of `SMALL` bytes from many callers, until the peer has acknowledged all."""
    items = itertools.cycle(lane.cargo(SMALL))

    async def call(watch: _Watch) -> int:
        sent = 0
        while watch.seconds < seconds:
            receipts = [await lane.store(next(items)) for _ in range(IN_HAND)]
            # They arrive in order.
            await receipts[-1].delivered()
            sent += len(receipts)
        return sent

    async def send(watch: _Watch) -> int:
        try:
            async with asyncio.TaskGroup() as group:
                callers = [group.create_task(call(watch)) for _ in range(CALLERS)]
        except ExceptionGroup as failures:
            # All fail for the same reason.
            raise failures.exceptions[0] from failures
        return sum(caller.result() for caller in callers)

    return await _counted(lane, send, lane.ask_behind)


async def _counted(lane: Lane, send: Callable[[_Watch], Awaitable[int]], ask: Callable[[str], Awaitable[Any]]) -> Sample:
    """Let ``send`` send, and ``ask`` the peer how many came.

    Raises:
        ChannelClosed: some were lost.

    """
    await ask(COUNT)
    watch = _Watch()
    sent = await send(watch)
    got, *cpu = await ask(COUNT)
    passed, busy = watch.seconds, watch.busy(Cpu(*cpu))
    if got != sent:
        raise ChannelClosed(
            f"of {sent} messages over the {lane.name} {got} arrived", hint="the link was interrupted: run the benchmark again"
        )
    return Sample((sent / passed,), busy)
