"""Discovery in memory."""

from __future__ import annotations

import attrs

from hallway.errors import ClosedError
from hallway.interfaces import Discovery, DiscoveryHost
from hallway.model import DeviceInfo, PeerRecord
from hallway.testing.memory.hub import Hub


@attrs.define(eq=False)
class MemoryDiscovery(Discovery):
    """Sees the devices of one hub at once."""

    device: DeviceInfo
    hub: Hub
    _closed: bool = False

    async def start(self, host: DiscoveryHost) -> None:
        """See `Discovery.start`."""
        self._check_open()
        self.hub.browse(self.device.device_id, self.device.property_id, host)

    async def advertise(self, endpoints: tuple[str, ...]) -> None:
        """See `Discovery.advertise`."""
        self._check_open()
        device = self.device
        if endpoints:
            self.hub.advertise(PeerRecord(device.device_id, device.property_id, device.device_type, endpoints, device.epoch))
        else:
            self.hub.withdraw(device.device_id)

    async def aclose(self) -> None:
        """See `Discovery.aclose`."""
        if not self._closed:
            self._closed = True
            self.hub.leave(self.device.device_id, self.device.property_id)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("memory discovery was closed")
