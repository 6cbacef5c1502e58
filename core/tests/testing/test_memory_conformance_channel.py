"""The memory channel keeps the promises of a channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hallway.interfaces import Connector
from hallway.model import DeviceInfo
from hallway.testing.conformance import ChannelCapabilities, ChannelConformance, context
from hallway.testing.memory import MemoryConfig
from hallway.testing.memory.plugin import hallway_channel


class TestMemoryChannel(ChannelConformance):
    provider = next(iter(hallway_channel()))
    capabilities = ChannelCapabilities(max_message=256 * 1024, sends_now=True, tells_acknowledged=True)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Connector]]:
        yield lambda device: self.provider.factory(MemoryConfig(hub="conformance"), context(device))
