"""Work that ends with the carrier: every task has this owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from hallway_peer_relay_signaling.errors import closed

T = TypeVar("T")

CLOSE_SECONDS = 0.8
"""How long closing waits for work that does not end when it is cancelled."""

logger = logging.getLogger(__name__)


class Underway:
    """Runs work until it ends or `aclose` is called."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run ``work`` in a task that ends with us.

        Raises:
            ClosedError: after `aclose`.

        """
        if self._closed:
            work.close()
            raise closed()
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def run(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """Run ``work`` and return what it returns. If this call is cancelled, so is the work.

        Raises:
            ClosedError: `aclose` was called before or meanwhile.

        """
        task = self.start(work, name)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        if task.cancelled():
            raise closed()
        return task.result()

    async def aclose(self) -> None:
        """Cancel everything and wait until it has ended."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, stubborn = await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
            for task in stubborn:
                logger.warning("%s goes on although it was cancelled", task.get_name())

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Whoever waited for it may have gone: then its error is nobody's any more.
            task.exception()
