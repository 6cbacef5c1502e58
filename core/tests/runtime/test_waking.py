"""The watch on sleep, with clocks of its own and with a process that is really stopped."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

import pytest

from hallway.runtime import waking
from hallway.runtime.waking import read_clocks, watch_sleep

DEADLINE = 20.0
STOPPED = 3.5
SLEEPER = """
import asyncio
from hallway.runtime.waking import watch_sleep

async def main():
    watching = asyncio.create_task(watch_sleep(lambda seconds: print(seconds, flush=True)))
    await asyncio.sleep(0)
    print("ready", flush=True)
    await watching

asyncio.run(main())
"""


async def test_a_waking_is_told_with_the_seconds_slept_and_timely_ticks_are_not(monkeypatch):
    monkeypatch.setattr(waking, "INTERVAL", 0.001)
    readings = iter([(0.0, 0.0), (1.0, 1.0), (2.0, 602.0), (3.0, 603.0), (24.0, 624.0)])
    told: list[float] = []
    with pytest.raises(RuntimeError, match="StopIteration"):
        await watch_sleep(told.append, clocks=lambda: next(readings))
    assert told == [600.0, 20.0]


async def test_a_stopped_process_notices_when_it_goes_on():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SLEEPER, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        assert await process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(STOPPED)
        process.send_signal(signal.SIGCONT)
        slept = float(await process.stdout.readline())
        process.kill()
        await process.wait()
    assert slept > STOPPED - 1.0


async def test_cancelling_ends_the_watch():
    watching = asyncio.create_task(watch_sleep(lambda _: None))
    await asyncio.sleep(0)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


def test_the_clocks_go_on_and_one_is_enough(monkeypatch):
    earlier, later = read_clocks(), read_clocks()
    assert earlier[0] <= later[0]
    assert earlier[1] <= later[1]
    monkeypatch.setattr(waking, "_BOOTTIME", None)
    before = time.monotonic()
    monotonic, boottime = read_clocks()
    assert before <= monotonic == boottime
