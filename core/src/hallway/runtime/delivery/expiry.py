"""Messages whose time is up become dead letters when it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from hallway.errors import StoreError
from hallway.runtime.delivery.outcomes import Outcomes
from hallway.runtime.delivery.trouble import RETRY_SECONDS, Trouble
from hallway.store import EXPIRED, Acked, Store

EXPIRY_SECONDS = 60.0
"""How long nobody looks whether something has expired, at most: while a device sleeps, its messages' time goes on and its timers do not."""
EXPIRING = "what has expired cannot be noted"


class Expiry:
    """One device's. A device whose messages have all the time of the world is not woken."""

    def __init__(self, store: Store, outcomes: Outcomes, trouble: Trouble) -> None:
        self._store = store
        self._outcomes = outcomes
        self._trouble = trouble
        self._news = asyncio.Event()

    def news(self) -> None:
        """There is another message with a time to live."""
        self._news.set()

    async def run(self) -> None:
        """Bury what expires; cancel it to stop."""
        while True:
            self._news.clear()
            try:
                await self.bury()
                left = await self._store.next_expiry()
            except StoreError as error:
                self._trouble.tell(EXPIRING, error)
                left = round(RETRY_SECONDS * 1000)
            else:
                self._trouble.over(EXPIRING)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if left is None else min(max(left, 0) / 1000, EXPIRY_SECONDS)):
                    await self._news.wait()

    async def bury(self) -> None:
        """Bury what has expired by now.

        Raises:
            StoreError: it stays where it is.

        """
        for gone in await self._store.expired():
            self._outcomes.undelivered(gone.peer, [Acked(gone.seq, gone.message_id)], EXPIRED)

    async def bury_these(self, peer: str, stream: str, seqs: Sequence[int]) -> None:
        """Bury messages to one peer that have expired, before it is told that they will never come.

        Raises:
            StoreError: they stay where they are.

        """
        self._outcomes.undelivered(peer, await self._store.bury(peer, stream, seqs, EXPIRED), EXPIRED)
