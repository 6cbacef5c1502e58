"""Discovery by a list: everybody on it is reported at the start, and nobody ever goes."""

from __future__ import annotations

import logging

from hallway.errors import ClosedError
from hallway.interfaces import Discovery, DiscoveryHost
from hallway.model import PeerRecord, Seen, same_device
from hallway.plugins import PluginContext
from hallway_static_discovery.config import StaticConfig

log = logging.getLogger(__name__)


class StaticDiscovery(Discovery):
    """See `hallway.interfaces.Discovery`. Records have no epoch: a peer's offers, answers and HELLO tell it."""

    def __init__(self, config: StaticConfig, context: PluginContext) -> None:
        device = context.device
        self._records = tuple(
            PeerRecord(device_id, device.property_id, endpoints=endpoints)
            for device_id, endpoints in config.endpoints().items()
            if not same_device(device_id, device.device_id)
        )
        self._closed = False

    async def start(self, host: DiscoveryHost) -> None:
        """See `Discovery.start`."""
        self._check_open()
        if not self._records:
            log.info("no other device is in [plugins.static.peers]: this one waits to be dialed")
        for record in self._records:
            host.report(Seen(record))

    async def advertise(self, endpoints: tuple[str, ...]) -> None:
        """See `Discovery.advertise`: others have lists of their own."""
        self._check_open()

    async def aclose(self) -> None:
        """See `Discovery.aclose`: nothing runs."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("static discovery was closed")
