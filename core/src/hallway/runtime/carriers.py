"""The signaling plugins of this device: brought up, kept up, and asked in the order of the chain."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from hallway.errors import SignalingUnavailable
from hallway.interfaces import Signaling, SignalingHost
from hallway.model import Envelope, Mode, Origin, Refusal, Sighting
from hallway.plugins import SignalingProvider
from hallway.protocol.backoff import Backoff
from hallway.protocol.chain import ChainEntry

logger = logging.getLogger(__name__)

Handler = Callable[["Carrier", Envelope, Origin], Awaitable[Envelope | Refusal]]


class Carrier(SignalingHost):
    """One signaling plugin, its state, and the host that it talks to."""

    def __init__(
        self,
        provider: SignalingProvider,
        signaling: Signaling,
        *,
        handler: Handler,
        reporter: Callable[[str, Sighting], None],
        on_change: Callable[[], None],
        backoff: Backoff | None = None,
    ) -> None:
        self.name = provider.name
        self.entry = ChainEntry.of(provider)
        self.signaling = signaling
        self.listen: tuple[str, ...] = ()
        self.is_up = False
        self.reason = "not started yet"
        self.settled = asyncio.Event()
        self._handler = handler
        self._reporter = reporter
        self._on_change = on_change
        self._backoff = backoff or Backoff(1.0, 5.0, random.random)

    @property
    def mode(self) -> Mode:
        """The mode that it gives now."""
        return self.entry.mode if self.is_up else Mode.NONE

    def origin(self, endpoint: str) -> Origin:
        """Where a response from ``endpoint`` comes from."""
        return Origin(self.name, urlsplit(endpoint).hostname)

    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        """See `SignalingHost.handle`."""
        return await self._handler(self, envelope, origin)

    def report(self, sighting: Sighting) -> None:
        """See `DiscoveryHost.report`."""
        self._reporter(self.name, sighting)

    def up(self, listen: tuple[str, ...]) -> None:
        """See `SignalingHost.up`."""
        self.is_up, self.listen, self.reason = True, listen, ""
        self._changed()

    def down(self, reason: str) -> None:
        """See `SignalingHost.down`."""
        self.is_up, self.listen, self.reason = False, (), reason
        self._changed()

    async def keep_up(self) -> None:
        """Start the plugin, again and again until it is up; from then on it mends itself."""
        while True:
            try:
                await self.signaling.start(self)
            except SignalingUnavailable as error:
                level = logging.DEBUG if str(error) == self.reason else logging.WARNING
                logger.log(level, "signaling %s is not up: %s", self.name, error)
                self.down(str(error))
                await asyncio.sleep(self._backoff.next())
            except Exception as error:
                self.down(f"it failed: {error}")
                raise
            else:
                return

    def _changed(self) -> None:
        self.settled.set()
        self._on_change()
