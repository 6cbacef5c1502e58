"""The device of a benchmark: the operator's own configuration, apart from the operator's own devices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from hallway.config import Config
from hallway.errors import BusyError, ClosedError, StateBusy, StoreUnusable
from hallway.interfaces import Connector, ControlBus, Discovery, DiscoveryHost
from hallway.model import MAX_NAME, IcePolicy
from hallway.peer import Peer
from hallway.plugins import DiscoveryProvider, PluginContext
from hallway.plugins.manager import Loaded
from hallway.runtime.control.client import connected
from hallway.runtime.control.place import beside
from hallway.trust.state import TrustState

SUFFIX = "-hallway-bench"
"""What the property of a benchmark ends in. In the property itself the device would take, with its passing store, the messages that wait
for it elsewhere, and they would be lost."""
NAME = "bench"


def apart(config: Config, folder: Path | None) -> Config:
    """The configuration with a property and a store of the benchmark's own; without a ``folder`` the store is in memory.

    A sealed device keeps its property: `BenchPeer` has it run beside that.
    """
    device = config.device
    if config.security == "open" and device.property is not None:
        device = attrs.evolve(device, property=device.property[: MAX_NAME - len(SUFFIX)] + SUFFIX)
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


@asynccontextmanager
async def alone(config: Config, device_id: str) -> AsyncIterator[None]:
    """Keep the configured device from running meanwhile, as far as that can be: two devices of one name would disturb each other.

    Raises:
        BusyError: it runs on this machine.
        ControlUnavailable, DeadlineExceeded: somebody listens there who cannot be asked.

    """
    busy = BusyError(
        f"{device_id} runs on this machine, and the benchmark starts a device of the same name",
        hint="stop it for as long as the benchmark takes; its messages wait",
    )
    if config.delivery.store is not None:
        async with connected(beside(config.delivery.store)) as client:
            if client is not None:
                raise busy
    with ExitStack() as stack:
        if config.security == "sealed" and config.trust.state is not None:
            try:
                stack.callback(TrustState(config.trust.state).lock().release)
            except StateBusy as error:
                raise busy from error
        yield


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
        self._security = self._security.apart(NAME)
        self._context: PluginContext | None = None
        provider = DiscoveryProvider(name=NAME, config_class=type(None), factory=self._plug_in)
        itself = Loaded(provider, None, "hallway", "")
        self._registry = attrs.evolve(self._registry, discovery=(*self._registry.discovery, itself))

    def _plug_in(self, _: Any, context: PluginContext) -> Discovery:
        self._context = context
        return _NoDiscovery()

    @property
    def members(self) -> tuple[str, ...] | None:
        """The devices of the property, as far as this one has heard; None in open mode, where nobody can know."""
        aside = self._security.aside
        return None if aside is None else tuple(member.name for member in aside.book.current.members)

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
