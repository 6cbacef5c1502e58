"""From the inbox to the application: in order, one after the other is let go of once the application has dealt with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hallway.errors import StoreError
from hallway.events import ErrorHappened, MessageReceived
from hallway.protocol import packed
from hallway.protocol.parcels import Parcel
from hallway.runtime.delivery.trouble import RETRY_SECONDS, Trouble
from hallway.runtime.publishing.handling import Handling
from hallway.runtime.publishing.publisher import Publisher
from hallway.store import InboxItem, Store

MOST, MOST_BYTES = 512, 1024 * 1024
"""Messages, and bytes of them, that are fetched at a time."""
MOST_AT_ONCE = 1024
"""Messages that are handed out in one go, at most: nothing else happens meanwhile."""
UNREAD = "messages in the inbox cannot be handed to the application"
UNNOTED = "what the application has dealt with cannot be noted"


class Handed(Handling):
    """A message of the inbox in the application's hands."""

    __slots__ = ("_handing", "id", "peer_name", "size")

    def __init__(self, handing: Handing, id_: int, peer_name: str, size: int) -> None:
        # One for each message: not by way of the base class.
        self._open, self._reason, self.takers = 1, None, 0
        self._handing = handing
        self.id = id_
        self.peer_name = peer_name
        self.size = size

    def dealt_with(self, reason: str | None) -> None:
        """See `Handling.dealt_with`."""
        self._handing.dealt_with(self, reason)


class Handing:
    """``let_go`` is called with the messages and bytes that no longer wait."""

    def __init__(self, store: Store, publisher: Publisher, trouble: Trouble, let_go: Callable[[int, int], None]) -> None:
        self._store = store
        self._publisher = publisher
        self._room = publisher.room
        self._trouble = trouble
        self._let_go = let_go
        self._news = asyncio.Event()
        self._news.set()
        self._after = 0
        """The id of the latest message that was handed out."""
        self._is_fetching = True
        self._taken: list[Handed] = []
        self._rejected: list[tuple[Handed, str]] = []
        self._dealt_with = asyncio.Event()

    def more(self) -> None:
        """Something has come into the inbox."""
        self._news.set()

    def stored(self, peer_name: str, first: int, parcels: Sequence[Parcel]) -> None:
        """These have come into the inbox, with ids from ``first`` on. If nothing waits there before them they need not be fetched."""
        if self._is_fetching or first != self._after + 1:
            self._news.set()
            return
        for id_, parcel in enumerate(parcels[:MOST_AT_ONCE], first):
            if self._room.crowded:
                break
            self._after = id_
            self._hand(id_, peer_name, parcel.id, parcel.body)
        if self._after < first + len(parcels) - 1:
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
                await self._store.taken([each.id for each in taken])
            for each, reason in rejected:
                await self._store.reject(each.id, reason)
        except (StoreError, asyncio.CancelledError):
            # What is done already is done again without a trace.
            self._taken[:0], self._rejected[:0] = taken, rejected
            raise
        gone = [*taken, *(each for each, _ in rejected)]
        self._let_go(len(gone), sum(each.size for each in gone))

    async def _hand_out(self) -> None:
        while True:
            await self._wait_for_news()
            while items := await self._trouble.insist(UNREAD, self._fetch):
                for item in items:
                    if self._room.crowded:
                        await self._room.wait()
                    self._after = item.id
                    self._hand(item.id, item.peer_name, item.message_id, item.body)
                await asyncio.sleep(0)

    async def _wait_for_news(self) -> None:
        """Wait until there is something to fetch; meanwhile, and only then, what comes need not be."""
        self._is_fetching = False
        try:
            await self._news.wait()
        finally:
            self._is_fetching = True
        self._news.clear()

    def _fetch(self) -> Awaitable[list[InboxItem]]:
        return self._store.inbox(self._after, most=MOST, most_bytes=MOST_BYTES)

    def _hand(self, id_: int, peer_name: str, message_id: bytes, body: bytes) -> None:
        handed = Handed(self, id_, peer_name, len(body))
        try:
            value, weight = packed.unpack_weighed(body)
        except packed.BadValue as error:
            self.dealt_with(handed, str(error))
            return
        self._publisher.publish(MessageReceived(peer_name, value, message_id.hex()), weight, handed)

    def dealt_with(self, handed: Handed, reason: str | None) -> None:
        """The application has dealt with a message; ``reason`` says why it could not."""
        if reason is None:
            self._taken.append(handed)
        else:
            self._rejected.append((handed, reason))
            text = f"a message of {handed.peer_name} was given up: {reason}"
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
