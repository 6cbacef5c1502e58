"""A list keeps the promises of a discovery that advertises nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs

from hallway.interfaces import Discovery
from hallway.model import DeviceInfo
from hallway.network import Resolver
from hallway.testing.conformance import DiscoveryCapabilities, DiscoveryConformance, context
from hallway_static_discovery.config import StaticConfig
from hallway_static_discovery.plugin import hallway_discovery


class BlackHole(Resolver):
    """No answer comes."""

    async def resolve(self, host: str, deadline: float) -> str:
        await asyncio.Event().wait()
        raise AssertionError


class TestStatic(DiscoveryConformance):
    provider = next(iter(hallway_discovery()))
    capabilities = DiscoveryCapabilities(advertises=False)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Discovery]]:
        def make(device: DeviceInfo) -> Discovery:
            peers = {"listed-1": "127.0.0.1", "listed-2": ("127.0.0.1:8091", "listed-2.example"), device.device_id: "127.0.0.1:8092"}
            return self.provider.factory(StaticConfig(peers), attrs.evolve(context(device), resolver=BlackHole()))

        yield make
