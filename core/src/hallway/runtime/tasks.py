"""Tasks with an owner: every one is awaited or cancelled, and a crash is told, never swallowed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

logger = logging.getLogger(__name__)

P = ParamSpec("P")


async def in_thread(work: Callable[P, None], *arguments: P.args, **named: P.kwargs) -> None:
    """Run ``work`` in a thread, to its end: nothing can stop it, so whoever is cancelled meanwhile waits for that."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled() and (error := running.exception()) is not None:
            logger.warning("what was cancelled has failed as well: %s", error)
        raise


class TaskSet:
    """Owns tasks until they end or it is closed. ``on_crash`` is told of every exception that a task did not expect."""

    def __init__(self, on_crash: Callable[[str, BaseException], None]) -> None:
        self._on_crash = on_crash
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run ``work`` in a task of this set."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def aclose(self) -> None:
        """Cancel what runs and wait until it has ended. Closing twice is silent."""
        current = asyncio.current_task()
        while tasks := [task for task in self._tasks if task is not current]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            logger.error("task %s crashed", task.get_name(), exc_info=error)
            self._on_crash(task.get_name(), error)
