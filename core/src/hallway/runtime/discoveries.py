"""The discovery plugins of this device: all of the chain at once."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from hallway.errors import DiscoveryUnavailable
from hallway.interfaces import Discovery, DiscoveryHost
from hallway.model import Sighting
from hallway.protocol.backoff import Backoff

logger = logging.getLogger(__name__)


class Finder(DiscoveryHost):
    """One discovery plugin and the host that it talks to."""

    def __init__(
        self, name: str, discovery: Discovery, reporter: Callable[[str, Sighting], None], *, backoff: Backoff | None = None
    ) -> None:
        self.name = name
        self.discovery = discovery
        self.is_up = False
        self.reason = "not started yet"
        self._reporter = reporter
        self._backoff = backoff or Backoff(1.0, 5.0, random.random)
        self._started = False
        self._endpoints: tuple[str, ...] = ()
        self._advertising = asyncio.Lock()

    def report(self, sighting: Sighting) -> None:
        """See `DiscoveryHost.report`."""
        self._reporter(self.name, sighting)

    def up(self) -> None:
        """See `DiscoveryHost.up`."""
        self.is_up, self.reason = True, ""

    def down(self, reason: str) -> None:
        """See `DiscoveryHost.down`."""
        logger.warning("discovery %s is down: %s", self.name, reason)
        self.is_up, self.reason = False, reason

    async def keep_up(self) -> None:
        """Start the plugin, again and again until it is up, and advertise what is known by then."""
        while True:
            try:
                await self.discovery.start(self)
            except DiscoveryUnavailable as error:
                level = logging.DEBUG if str(error) == self.reason else logging.WARNING
                logger.log(level, "discovery %s is not up: %s", self.name, error)
                self.reason = str(error)
                await asyncio.sleep(self._backoff.next())
            except Exception as error:
                self.reason = f"it failed: {error}"
                raise
            else:
                break
        self._started = True
        self.up()
        await self._advertise()

    async def advertise(self, endpoints: tuple[str, ...]) -> None:
        """Make this device known with these endpoints as soon as the plugin is up."""
        self._endpoints = endpoints
        if self._started:
            await self._advertise()

    async def _advertise(self) -> None:
        async with self._advertising:
            await self.discovery.advertise(self._endpoints)

    async def refresh(self) -> None:
        """Announce this device and look for peers at once, if the plugin is up."""
        if self._started:
            await self.discovery.refresh()
