"""Keeps the parts of the discovery at work, and tells the host when one of them is not."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable

from hallway.interfaces import DiscoveryHost
from hallway.protocol.backoff import Backoff

log = logging.getLogger(__name__)

RESTART = (0.5, 60.0)
"""Seconds until a part that has failed begins again: the first wait and the longest."""
SETTLED = 1.0
"""Seconds after which a part that began again counts as working."""


class Keeper:
    """Tells the host `down` when the first part fails, and `up` when the last one works again. It owns no task."""

    def __init__(self, host: DiscoveryHost) -> None:
        self._host = host
        self._failed: dict[str, str] = {}
        self._backoff: defaultdict[str, Backoff] = defaultdict(lambda: Backoff(*RESTART, random.random))

    def fails(self, part: str, reason: str) -> None:
        """A part does not work now; ``reason`` is a clause."""
        if self._failed.get(part) != reason:
            self._failed[part] = reason
            self._host.down(reason)

    def works(self, part: str) -> None:
        """A part works, for the first time or again."""
        self._backoff.pop(part, None)
        if self._failed.pop(part, None) is not None and not self._failed:
            self._host.up()

    async def keep(self, part: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` until cancelled. When it fails it is logged, told and begun again after a while, each time a longer one."""
        while True:
            try:
                await self._do(part, work)
            except Exception as error:
                delay = self._backoff[part].next()
                log.exception("mDNS %s has failed and begins again in %.1f s", part, delay)
                self.fails(part, f"mDNS {part} has failed: {str(error) or type(error).__name__}")
                await asyncio.sleep(delay)

    async def _do(self, part: str, work: Callable[[], Awaitable[None]]) -> None:
        settled = asyncio.get_running_loop().call_later(SETTLED, self.works, part)
        try:
            await work()
        finally:
            settled.cancel()
