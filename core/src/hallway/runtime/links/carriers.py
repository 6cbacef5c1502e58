"""The signaling plugins of this device: brought up, kept up, and asked in the order of the chain."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal
from urllib.parse import urlsplit

from hallway.errors import NoSignalingError, SignalingUnavailable
from hallway.interfaces import Signaling, SignalingHost
from hallway.model import Envelope, Mode, Origin, Refusal, Sighting
from hallway.plugins import SignalingProvider
from hallway.protocol.backoff import Backoff
from hallway.protocol.chain import ChainEntry

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 5.0
"""How long a start waits for signaling plugins that say nothing."""
GRACE_SECONDS = 0.3
"""How long it waits for the others once one is up."""

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


class SignalingChain:
    """The signaling plugins of a device as one: those of the configured chain that could be made, in its order."""

    def __init__(self, carriers: Sequence[Carrier]) -> None:
        self.carriers = tuple(carriers)

    @property
    def mode(self) -> Mode:
        """That of the first one that is up."""
        return next((carrier.mode for carrier in self.carriers if carrier.is_up), Mode.NONE)

    @property
    def is_up(self) -> bool:
        """Whether any is."""
        return any(carrier.is_up for carrier in self.carriers)

    @property
    def listen(self) -> tuple[str, ...]:
        """The URLs of every one that is up, local ones first."""
        carriers = sorted(self.carriers, key=lambda carrier: carrier.entry.mode is not Mode.LOCAL)
        return tuple(url for carrier in carriers for url in carrier.listen)

    @property
    def local_endpoints(self) -> tuple[str, ...]:
        """The URLs under which this device can be reached on the LAN."""
        return tuple(url for carrier in self.carriers if carrier.mode is Mode.LOCAL for url in carrier.listen)

    async def wait_up(self) -> None:
        """Return when the first is up.

        Raises:
            NoSignalingError: every one has said that it cannot come up now.

        """
        waiting = self._wait_each()
        try:
            while waiting and not self.is_up:
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            _cancel(waiting)
        self._require_up()

    async def wait_settled(self) -> None:
        """Return once it is known what signaling there is, `SETTLE_SECONDS` from now at most.

        That is when every plugin is up or has said why not, or a moment after the first is up: a cloud that does not answer must not hold
        up the LAN.

        Raises:
            NoSignalingError: none is up.

        """
        waiting = self._wait_each()
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
        try:
            while waiting and (left := deadline - asyncio.get_running_loop().time()) > 0:
                patience = min(left, GRACE_SECONDS) if self.is_up else left
                done, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
        finally:
            _cancel(waiting)
        self._require_up()

    def _require_up(self) -> None:
        """Raise what `wait_up` raises, unless one is up."""
        if not self.is_up:
            raise NoSignalingError({carrier.name: carrier.reason for carrier in self.carriers})

    def _wait_each(self) -> set[asyncio.Task[Literal[True]]]:
        return {asyncio.ensure_future(carrier.settled.wait()) for carrier in self.carriers}


def _cancel(waiting: set[asyncio.Task[Literal[True]]]) -> None:
    for task in waiting:
        task.cancel()
