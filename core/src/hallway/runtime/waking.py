"""Tells when this device has slept: suspended, stopped, or held up by its own application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from hallway.protocol.sleep import INTERVAL, SleepWatch

_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def read_clocks() -> tuple[float, float]:
    """Seconds of the monotonic clock and of the one that goes on while the machine is suspended; where there is none, the first twice."""
    monotonic = time.monotonic()
    return monotonic, time.clock_gettime(_BOOTTIME) if _BOOTTIME is not None else monotonic


async def watch_sleep(woke: Callable[[float], None], *, clocks: Callable[[], tuple[float, float]] = read_clocks) -> None:
    """Call ``woke(seconds)`` within a second of every waking, until cancelled.

    An event loop that was blocked for some seconds looks the same, so ``woke`` must do no harm. It must not raise: that ends the watch.
    """
    watch = SleepWatch()
    while True:
        slept = watch.tick(*clocks())
        if slept is not None:
            woke(slept)
        await asyncio.sleep(INTERVAL)
