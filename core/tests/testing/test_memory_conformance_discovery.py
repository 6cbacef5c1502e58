"""Memory discovery keeps the promises of a discovery."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hallway.interfaces import Discovery
from hallway.model import DeviceInfo
from hallway.testing.conformance import DiscoveryCapabilities, DiscoveryConformance, context
from hallway.testing.memory import MemoryConfig
from hallway.testing.memory.plugin import hallway_discovery


class TestMemoryDiscovery(DiscoveryConformance):
    provider = next(iter(hallway_discovery()))
    capabilities = DiscoveryCapabilities()

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Discovery]]:
        yield lambda device: self.provider.factory(MemoryConfig(hub="conformance"), context(device))
