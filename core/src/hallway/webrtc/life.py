"""The life of one channel: whether it has opened, and whether and why it is over."""

from __future__ import annotations

import asyncio

from hallway.errors import ChannelClosed, ClosedError, DeadlineExceeded
from hallway.webrtc.endings import End


class Life:
    """Told by a channel, and asked by all that is part of it. Its fields are for reading."""

    def __init__(self) -> None:
        self.is_open = False
        """It has opened, even if it is over since."""
        self.is_over = False
        """It was closed at this end, or has ended."""
        self.is_closing = False
        self.end: End | None = None
        self.decided = asyncio.Event()
        """Set once it is open or over."""

    def begin(self) -> None:
        """It is open."""
        self.is_open = True
        self.decided.set()

    def finish(self, end: End) -> None:
        """It has ended by itself, by its peer or with the network."""
        self.end = end
        self.is_over = True
        self.decided.set()

    def close(self) -> bool:
        """It is being closed at this end; whether this is the first time."""
        first, self.is_closing = not self.is_closing, True
        self.is_over = True
        self.decided.set()
        return first

    def check(self) -> None:
        """Go on, unless it is over.

        Raises:
            ClosedError: it was closed at this end.
            ChannelClosed: it has ended.

        """
        if self.is_over:
            raise self.error()

    def error(self) -> ChannelClosed | ClosedError:
        """A fresh error to raise once it is over. Who sends looks at `is_over` first: `check` would be a call more for every message."""
        if self.is_closing or self.end is None:
            return ClosedError("the channel was closed at this end")
        return self.end.error()

    async def opened(self, deadline: float) -> None:
        """See `hallway.interfaces.Channel.opened`."""
        try:
            async with asyncio.timeout_at(deadline):
                await self.decided.wait()
        except TimeoutError as error:
            raise DeadlineExceeded("the channel did not open in time") from error
        self.check()
