"""The LAN carrier alone, for devices that pair while nothing else of them runs."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from hallway.config import config_from_arguments
from hallway.errors import PluginError
from hallway.interfaces import Cover, Signaling, SignalingHost
from hallway.model import DeviceInfo, Envelope, Origin, Refusal, RefusalCode, Sighting
from hallway.network import DENIED_BY_DEFAULT, Resolver
from hallway.plugins import PluginContext
from hallway.plugins.manager import load_plugins
from hallway.trust.pairing_wire import KIND

logger = logging.getLogger(__name__)

PLUGIN = "http-local"
NOBODY = DeviceInfo("hallway", "pairing", "device", "")
"""What the plugin is told of this device."""

Handler = Callable[[Envelope, Origin], Awaitable[Envelope | Refusal]]


class Blank(Cover):
    """A cover under which there is nothing to see."""

    @property
    def room(self) -> str:
        """Nowhere."""
        return "0" * 32

    def tag(self, device_id: str) -> str | None:
        """Nobody is known."""

    def who(self, tag: str) -> str | None:
        """Nobody is known."""

    def beacon(self, instance: str, port: int) -> Mapping[str, str]:
        """Nothing is shown."""
        return {}

    def recognise(self, beacon: Mapping[str, str], instance: str, port: int) -> str | None:
        """Nobody is known."""

    def watch(self, listener: Callable[[], None]) -> None:
        """Nothing changes."""


class PairingHost(SignalingHost):
    """Hands joiners to ``handler`` and everybody else back."""

    def __init__(self, handler: Handler) -> None:
        self.listen: tuple[str, ...] = ()
        self._handler = handler

    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        """As `SignalingHost.handle`."""
        if envelope.kind != KIND:
            return Refusal(RefusalCode.CLOSING, "this device does not run")
        return await self._handler(envelope, origin)

    def report(self, sighting: Sighting) -> None:
        """Nobody is looked for."""

    def up(self, listen: tuple[str, ...]) -> None:
        """As `SignalingHost.up`."""
        self.listen = listen

    def down(self, reason: str) -> None:
        """As `SignalingHost.down`."""
        logger.warning("the LAN is out of reach: %s", reason)
        self.listen = ()


@asynccontextmanager
async def lan_carrier(port: int | None = None, interfaces: Sequence[str] = ("*",)) -> AsyncIterator[Signaling]:
    """The plugin `http-local`, not started; it is closed at the end.

    Raises:
        ConfigError, PluginError: it is not installed, or does not work.

    """
    config = config_from_arguments(
        device_id=NOBODY.device_id,
        property_id=NOBODY.property_id,
        security="open",
        local_signaling_port=port,
        discovery=[],
        signaling=[PLUGIN],
        channel=["memory"],
        interfaces=list(interfaces),
        deny=list(DENIED_BY_DEFAULT),
    )
    registry = load_plugins(config)
    if not registry.signaling:
        raise registry.problems[0] if registry.problems else PluginError(PLUGIN, "is not usable")
    carrier = registry.make(registry.signaling[0], PluginContext(NOBODY, config.network.policy(), Resolver(), cover=Blank()))
    try:
        yield carrier
    finally:
        await carrier.aclose()
