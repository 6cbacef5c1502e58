"""A race of several ways to one end: the first that gets there counts (RFC 8305, for whole requests)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from hallway.errors import HallwayError

T = TypeVar("T")


class RaceLost(Exception):
    """No way led there; ``errors`` has one for each, in the order in which they came."""

    def __init__(self, errors: Sequence[HallwayError]) -> None:
        super().__init__("; ".join(dict.fromkeys(map(str, errors))))
        self.errors = tuple(errors)


async def race(ways: Sequence[Callable[[], Coroutine[Any, Any, T]]], stagger: float) -> T:
    """Try ``ways``, each ``stagger`` seconds after the one before or as soon as all before it have failed. Cancels and awaits the losers.

    Raises:
        RaceLost: each of them raised a `HallwayError`.

    """
    waiting = list(ways)
    running: set[asyncio.Task[T]] = set()
    started: list[asyncio.Task[T]] = []
    errors: list[HallwayError] = []
    try:
        while waiting or running:
            if waiting:
                started.append(asyncio.create_task(waiting.pop(0)(), name="race"))
                running.add(started[-1])
            done, running = await asyncio.wait(running, timeout=stagger if waiting else None, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                try:
                    return task.result()
                except HallwayError as error:
                    errors.append(error)
        raise RaceLost(errors)
    finally:
        for task in started:
            task.cancel()
        # The errors of those that came in beside the winner are nobody's any more.
        await asyncio.gather(*started, return_exceptions=True)
