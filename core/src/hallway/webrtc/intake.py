"""What comes in over one channel: to the taker while a task waits in `receive`, or else to whoever receives next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from hallway.errors import BusyError
from hallway.interfaces import Taker
from hallway.webrtc.arrivals import MAX_WAITING, Arrivals
from hallway.webrtc.endings import End, EndedBy
from hallway.webrtc.life import Life

logger = logging.getLogger(__name__)


class Intake:
    """`put` is called for every message that comes; ``finish`` ends the channel.

    A lone message is the rule, and what it costs is made of calls: `put` makes one, to the taker.
    """

    def __init__(self, life: Life, finish: Callable[[End], None]) -> None:
        self.arrivals = Arrivals()
        self._life = life
        self._finish = finish
        self._loop = asyncio.get_running_loop()
        self._taker: Taker | None = None
        self._receiver: asyncio.Future[None] | None = None

    def hand_first_to(self, taker: Taker) -> None:
        """See `hallway.interfaces.Channel.hand_first_to`."""
        self._taker = taker

    def put(self, message: str | bytes) -> None:
        """Take in one message. It never raises: a library would take that for a fault of the peer, or go on without the message."""
        if self._life.is_over:
            return
        receiver = self._receiver
        try:
            # A task that was woken already has a message before this one.
            if self._taker is not None and receiver is not None and not receiver.done() and self._taker(message):
                return
        except Exception as error:
            logger.exception("what takes messages failed")
            self._finish(End(EndedBy.ERROR, f"what takes its messages failed: {type(error).__name__}"))
            return
        if not self.arrivals.put(message):
            self._finish(End(EndedBy.VIOLATION, f"it sent more than {MAX_WAITING} bytes that nobody read"))
        if receiver is not None:
            self.wake()

    async def receive(self) -> str | bytes:
        """See `hallway.interfaces.Channel.receive`."""
        if self._receiver is not None:
            raise BusyError("another task is receiving from this channel")
        while True:
            # What came before the end is handed out, and nothing any more once this end was closed.
            if self._life.is_closing or (self._life.is_over and not self.arrivals.messages):
                raise self._life.error()
            if self.arrivals.messages:
                return self.arrivals.pop()
            self._receiver = self._loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None

    def wake(self) -> None:
        """Have the task that waits in `receive` look again."""
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)
