"""What a program has running: tasks, threads and open files, before and after."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator

import attrs

SETTLE = 2.0
"""Seconds in which transports finish what the loop still has to do after a close."""
STEP = 0.005

_FDS = "/dev/fd"


def _tasks() -> frozenset[asyncio.Task[object]]:
    return frozenset(asyncio.all_tasks()) - {asyncio.current_task()}


def _threads() -> frozenset[threading.Thread]:
    # The loop's own pool lives as long as the loop.
    return frozenset(thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_"))


def _files() -> frozenset[tuple[int, int, int]]:
    found = set()
    for name in os.listdir(_FDS) if os.path.isdir(_FDS) else ():
        with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
            status = os.fstat(int(name))
            found.add((int(name), status.st_dev, status.st_ino))
    return frozenset(found)


@attrs.frozen
class Running:
    """A look at what runs now, the calling task not counted."""

    tasks: frozenset[asyncio.Task[object]] = attrs.field(factory=_tasks)
    threads: frozenset[threading.Thread] = attrs.field(factory=_threads)
    files: frozenset[tuple[int, int, int]] = attrs.field(factory=_files)

    def since(self, before: Running) -> list[str]:
        """What runs now and did not before."""
        tasks = [f"task {task.get_name()}: {task.get_coro()}" for task in self.tasks - before.tasks if not task.done()]
        threads = [f"thread {thread.name}" for thread in self.threads - before.threads if thread.is_alive()]
        return [*tasks, *threads, *(f"open file {number}" for number, _, _ in self.files - before.files)]


async def left_over(before: Running) -> list[str]:
    """What is left that was not there ``before``, once the loop has done what was pending."""
    for _ in range(int(SETTLE / STEP)):
        if not Running().since(before):
            return []
        await asyncio.sleep(STEP)
    return Running().since(before)


@contextlib.asynccontextmanager
async def nothing_left_running() -> AsyncIterator[None]:
    """Whatever was started within has ended and is released after it."""
    before = Running()
    yield
    assert await left_over(before) == []
