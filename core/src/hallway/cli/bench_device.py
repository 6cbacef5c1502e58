"""The device of a benchmark: the operator's own configuration, apart from the operator's own devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from hallway.config import Config
from hallway.errors import BusyError, ClosedError, MisuseError, StoreUnusable
from hallway.interfaces import Connector, ControlBus, Discovery, DiscoveryHost
from hallway.model import MAX_NAME, IcePolicy
from hallway.peer import Peer
from hallway.plugins import DiscoveryProvider, PluginContext
from hallway.plugins.manager import Loaded
from hallway.runtime.control_client import connected
from hallway.runtime.control_place import beside

SUFFIX = "-hallway-bench"
"""What the property of a benchmark ends in. In the property itself the device would take, with its passing store, the messages that wait
for it elsewhere, and they would be lost."""
NAME = "bench"


def apart(config: Config, folder: Path | None) -> Config:
    """The configuration with a property and a store of the benchmark's own; without a ``folder`` the store is in memory.

    Raises:
        MisuseError: the configuration is a sealed device's, which has no second property to be apart in.

    """
    if config.security != "open" or config.device.property is None:
        hint = "measure with --set security=open, and names in --set device.id=... and --set device.property=..., at both ends"
        raise MisuseError("a benchmark runs beside the property, and a sealed device belongs to that alone", hint=hint)
    device = attrs.evolve(config.device, property=config.device.property[: MAX_NAME - len(SUFFIX)] + SUFFIX)
    delivery = attrs.evolve(config.delivery, store=None if folder is None else str(folder / "bench.db"))
    return attrs.evolve(config, device=device, delivery=delivery, discovery=attrs.evolve(config.discovery, last_good=None))


def store_folder(config: Config, chosen: str | None) -> Path | None:
    """The folder whose disk is measured: the ``chosen`` one, or that of the configured store; None if there is neither.

    Raises:
        StoreUnusable: there is no such folder.

    """
    path = Path(chosen) if chosen is not None else Path(config.delivery.store).parent if config.delivery.store is not None else None
    if path is not None and not path.is_dir():
        raise StoreUnusable(f"there is no folder {path}", hint="make it, or name the folder whose disk is to be measured: --store FOLDER")
    return path


async def refuse_while_running(config: Config) -> None:
    """Two devices of one name would disturb each other.

    Raises:
        BusyError: the configured device runs on this machine.
        ControlUnavailable, DeadlineExceeded: somebody listens there who cannot be asked.

    """
    if config.delivery.store is None:
        return
    async with connected(beside(config.delivery.store)) as client:
        if client is not None:
            raise BusyError(
                f"{config.device.id} runs on this machine, and the benchmark starts a device of the same name",
                hint="stop it for as long as the benchmark takes; its messages wait",
            )


class _NoDiscovery(Discovery):
    """Finds nobody."""

    async def start(self, host: DiscoveryHost) -> None:
        """See `Discovery.start`."""

    async def advertise(self, endpoints: tuple[str, ...]) -> None:
        """See `Discovery.advertise`."""

    async def aclose(self) -> None:
        """See `Discovery.aclose`."""


class BenchPeer(Peer):
    """A device with one plugin more, which is the benchmark: so it has the control bus, and makes channels as every plugin could."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._context: PluginContext | None = None
        provider = DiscoveryProvider(name=NAME, config_class=type(None), factory=self._plug_in)
        itself = Loaded(provider, None, "hallway", "")
        self._registry = attrs.evolve(self._registry, discovery=(*self._registry.discovery, itself))

    def _plug_in(self, _: Any, context: PluginContext) -> Discovery:
        self._context = context
        return _NoDiscovery()

    @property
    def bus(self) -> ControlBus:
        """Requests to linked peers, once it was started."""
        bus = self._plugged_in.bus
        assert bus is not None
        return bus

    def connector(self, channel: str) -> Connector:
        """One of the benchmark's own, made by the channel plugin of that name."""
        loaded = next(each for each in self._registry.channel if each.name == channel)
        return self._registry.make(loaded, self._plugged_in)

    def policy(self, signaling: str) -> IcePolicy:
        """Which candidates the links use that this signaling plugin makes."""
        return next(each.provider.ice_policy for each in self._registry.signaling if each.name == signaling)

    def link_to(self, peer_id: str) -> dict[str, Any] | None:
        """What the status says of the open link to ``peer_id``, None without one."""
        found = (each for each in self.status()["peers"] if each["open"] and each["peerId"].lower() == peer_id.lower())
        return next(found, None)

    @property
    def _plugged_in(self) -> PluginContext:
        if self._context is None:
            raise ClosedError("this device is not running", hint="start it first")
        return self._context
