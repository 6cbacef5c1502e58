"""What waits for a reader."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from hallway.events import Event, MessageReceived
from hallway.runtime.publishing.handling import Handling, Item
from hallway.runtime.publishing.room import Room

logger = logging.getLogger(__name__)


def messages_only(event: Event) -> bool:
    """What a reader of messages wants."""
    return isinstance(event, MessageReceived)


class Subscription:
    """A reader's own queue of events that it ``wants``; it ends when the publisher closes.

    ``closed`` is told what the reader leaves.
    """

    def __init__(self, room: Room, wants: Callable[[Event], bool], closed: Callable[[Subscription, list[Item]], None]) -> None:
        self.wants = wants if wants is messages_only else _safe(wants)
        self.backlog = 0
        self._room = room
        self._closed = closed
        self._queue: deque[Item] = deque()
        self._in_hand: Item | None = None
        """The durable message that the reader got last."""
        self._waiters: list[asyncio.Future[None]] = []
        self._ended = False

    def put(self, event: Event, size: int, handling: Handling | None = None) -> None:
        """Queue an event of ``size`` bytes."""
        if handling is not None:
            handling.begin()
            handling.takers += 1
        self._queue.append((event, size, handling))
        self.backlog += size
        if self._waiters:
            self._wake()
        if self.backlog > self._room.limit:
            self._room.fill()

    def end(self) -> None:
        """There will be no more events; those queued are still handed out."""
        self._ended = True
        if self._waiters:
            self._wake()

    def close(self) -> None:
        """Stop listening; a reader that waits comes to the end. What it has not dealt with waits for another. Closing twice is silent."""
        left = [*([self._in_hand] if self._in_hand else []), *self._queue]
        self._queue.clear()
        self._in_hand = None
        self.backlog = 0
        self.end()
        self._closed(self, left)

    def put_down(self) -> None:
        """The reader has dealt with the message that it got last."""
        if self._in_hand is not None:
            (_, _, handling), self._in_hand = self._in_hand, None
            if handling is not None:
                handling.end()

    def next(self) -> Event | None:
        """Take the next event, if there is one; then the reader has dealt with the one before. Who begins to wait has `put_down` that.

        Raises:
            StopAsyncIteration: there will be none.

        """
        if not self._queue:
            if self._ended:
                raise StopAsyncIteration
            return None
        if self._in_hand is not None:
            self.put_down()
        event, size, handling = item = self._queue.popleft()
        if handling is not None:
            self._in_hand = item
        self.backlog -= size
        if self._room.crowded:
            self._room.ease()
        return event

    async def arrival(self) -> None:
        """Wait until there may be an event, or there will be none. Any number of tasks may wait."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def _safe(wants: Callable[[Event], bool]) -> Callable[[Event], bool]:
    """``wants`` for events of all kinds: it does not want those at which it raises, and that is logged."""

    def asked(event: Event) -> bool:
        try:
            return wants(event)
        except (Exception, asyncio.CancelledError):
            logger.exception("a reader cannot say whether it wants %s", event.name)
            return False

    return asked
