"""Those who send over one channel and have to wait: first come, first served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from hallway.webrtc.life import Life


class Outlet:
    """A message for which nobody waits and there is room does not come here; all others do, so that nobody is overtaken.

    Args:
        life: the channel's.
        room: returns once there is room for more, and raises once the channel is over.
        hand_over: gives a message to the library.

    """

    def __init__(self, life: Life, room: Callable[[], Awaitable[None]], hand_over: Callable[[str | bytes], None]) -> None:
        self.waiting = 0
        """Senders that wait, or have the turn: it is free for a moment between two of them, and nobody else may take it then."""
        self._life = life
        self._room = room
        self._hand_over = hand_over
        self._turn = asyncio.Lock()

    async def send(self, message: str | bytes) -> None:
        """Hand over one message in its turn, once the channel is open and has room; return when there is room for more.

        Raises:
            ClosedError, ChannelClosed: the channel is over.

        """
        async with self._in_turn():
            await self._life.decided.wait()
            await self._room()
            self._hand_over(message)
            await self._room()

    async def settle(self) -> None:
        """Return when there is room for more, behind those who wait already.

        Raises:
            ClosedError, ChannelClosed: the channel is over.

        """
        async with self._in_turn():
            await self._room()

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        self.waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self.waiting -= 1
