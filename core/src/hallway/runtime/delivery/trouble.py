"""What becomes of work that the store cannot do now: it is told once, with what to do, and done when the store works again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hallway.errors import StoreError
from hallway.events import ErrorHappened
from hallway.runtime.publishing.publisher import Publisher

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Pause after the store has failed; nothing that came in is acknowledged meanwhile."""

T = TypeVar("T")


class Trouble:
    """The store's failures of one device, as its operator hears of them."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._told: dict[str, str] = {}

    def tell(self, what: str, error: StoreError) -> None:
        """Say that ``what`` (a clause) is held up, unless that was said already; `over` is called when it goes on."""
        logger.debug("%s: %s", what, error)
        if self._told.get(what) == error.code:
            return
        # One cause holds several things up; each is logged, and the operator hears of the cause.
        is_news = error.code not in self._told.values()
        self._told[what] = error.code
        logger.warning("%s: %s", what, error)
        if is_news:
            self._publisher.publish(ErrorHappened(error.code, f"{what}: {error}", error.hint))

    def over(self, what: str) -> None:
        """``what`` was done."""
        if self._told and self._told.pop(what, None) is not None:
            logger.warning("no longer: %s", what)

    async def insist(self, what: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do ``work`` until the store does it; cancel it to give up. It must be such that twice is once."""
        while True:
            try:
                done = await work()
            except StoreError as error:
                self.tell(what, error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self.over(what)
                return done
