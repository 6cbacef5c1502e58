"""From the inbox to the application: in order, one after the other is let go of once the application has dealt with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from hallway.errors import StoreError
from hallway.events import ErrorHappened, MessageReceived
from hallway.protocol import packed
from hallway.runtime.publisher import Handling, Publisher
from hallway.runtime.trouble import RETRY_SECONDS, Trouble
from hallway.store import InboxItem, Store

MOST, MOST_BYTES = 512, 1024 * 1024
"""Messages, and bytes of them, that are fetched at a time."""
UNREAD = "messages in the inbox cannot be handed to the application"
UNNOTED = "what the application has dealt with cannot be noted"


class Handing:
    """``let_go`` is called with the messages and bytes that no longer wait."""

    def __init__(self, store: Store, publisher: Publisher, trouble: Trouble, let_go: Callable[[int, int], None]) -> None:
        self._store = store
        self._publisher = publisher
        self._trouble = trouble
        self._let_go = let_go
        self._news = asyncio.Event()
        self._news.set()
        self._taken: list[InboxItem] = []
        self._rejected: list[tuple[InboxItem, str]] = []
        self._dealt_with = asyncio.Event()

    def more(self) -> None:
        """Something has come into the inbox."""
        self._news.set()

    async def run(self) -> None:
        """Hand out what lies there and what comes; cancel it to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hand_out(), name="hand out")
            group.create_task(self._tidy(), name="tidy the inbox")

    async def settle(self) -> None:
        """Let go of what the application has dealt with so far."""
        taken, self._taken = self._taken, []
        rejected, self._rejected = self._rejected, []
        self._dealt_with.clear()
        try:
            if taken:
                await self._store.taken([item.id for item in taken])
            for item, reason in rejected:
                await self._store.reject(item.id, reason)
        except (StoreError, asyncio.CancelledError):
            # What is done already is done again without a trace.
            self._taken[:0], self._rejected[:0] = taken, rejected
            raise
        gone = [*taken, *(item for item, _ in rejected)]
        self._let_go(len(gone), sum(len(item.body) for item in gone))

    async def _hand_out(self) -> None:
        after = 0
        while True:
            await self._news.wait()
            self._news.clear()
            while items := await self._trouble.insist(UNREAD, partial(self._store.inbox, after, most=MOST, most_bytes=MOST_BYTES)):
                after = items[-1].id
                for item in items:
                    if self._publisher.crowded:
                        await self._publisher.room()
                    self._hand(item)
                await asyncio.sleep(0)

    def _hand(self, item: InboxItem) -> None:
        try:
            value = packed.unpack(item.body)
        except packed.BadValue as error:
            self._done(item, str(error))
            return
        event = MessageReceived(item.peer_name, value, item.message_id.hex())
        self._publisher.publish(event, packed.weight(item.body), Handling(lambda reason: self._done(item, reason)))

    def _done(self, item: InboxItem, reason: str | None) -> None:
        if reason is None:
            self._taken.append(item)
        else:
            self._rejected.append((item, reason))
            text = f"a message of {item.peer_name} was given up: {reason}"
            self._publisher.publish(ErrorHappened("dead-letter", text, "mend the listener; the store keeps the message as a dead letter"))
        self._dealt_with.set()

    async def _tidy(self) -> None:
        while True:
            await self._dealt_with.wait()
            try:
                await self.settle()
            except StoreError as error:
                self._trouble.tell(UNNOTED, error)
                self._dealt_with.set()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._trouble.over(UNNOTED)
