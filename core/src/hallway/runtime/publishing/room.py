"""Whether all who read are near enough to what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar


class Room:
    """Room for more messages, as long as nobody has more than `limit` bytes before it; ``largest`` says how many the slowest has."""

    limit: ClassVar[int] = 16 * 1024 * 1024
    """Bytes of messages that wait for one reader; beyond that nothing more is read from the channels."""

    def __init__(self, largest: Callable[[], int]) -> None:
        self.crowded = False
        """Whether `wait` would wait."""
        self._largest = largest
        self._free = asyncio.Event()
        self._free.set()

    def fill(self) -> None:
        """Somebody has more than `limit` before it."""
        self.crowded = True
        self._free.clear()

    def ease(self) -> None:
        """Somebody has taken something."""
        if self.crowded and self._largest() <= self.limit:
            self.crowded = False
            self._free.set()

    async def wait(self) -> None:
        """Wait until nobody has more than `limit` before it."""
        await self._free.wait()
