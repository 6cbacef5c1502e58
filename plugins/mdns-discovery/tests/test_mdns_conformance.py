"""mDNS keeps the promises of a discovery."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs

from hallway.interfaces import Discovery
from hallway.model import DeviceInfo
from hallway.network import InterfaceAddress, InterfacePolicy
from hallway.testing.conformance import DiscoveryCapabilities, DiscoveryConformance, context
from hallway_mdns_discovery.config import MdnsConfig
from hallway_mdns_discovery.plugin import hallway_discovery


@attrs.define
class Cable:
    plugged: bool = True


@attrs.frozen
class Wired(InterfacePolicy):
    """Loopback, while the cable is in."""

    cable: Cable = attrs.field(factory=Cable)

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        return super().addresses() if self.cable.plugged else ()


class TestMdns(DiscoveryConformance):
    provider = next(iter(hallway_discovery()))
    capabilities = DiscoveryCapabilities(hinderable=True)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Discovery]]:
        self.policy = Wired(allow=("lo*",))
        yield lambda device: self.provider.factory(MdnsConfig(), context(device, self.policy))

    @asynccontextmanager
    async def hindrance(self) -> AsyncIterator[None]:
        self.policy.cable.plugged = False
        yield
        self.policy.cable.plugged = True
