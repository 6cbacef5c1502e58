"""Memory signaling keeps the promises of a carrier."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hallway.interfaces import Signaling
from hallway.model import DeviceInfo
from hallway.testing.conformance import SignalingCapabilities, SignalingConformance, context
from hallway.testing.memory import MemoryConfig
from hallway.testing.memory.plugin import hallway_signaling


class TestMemorySignaling(SignalingConformance):
    provider = next(iter(hallway_signaling()))
    capabilities = SignalingCapabilities(knows_addresses=False)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Signaling]]:
        yield lambda device: self.provider.factory(MemoryConfig(hub="conformance"), context(device))
