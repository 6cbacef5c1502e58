"""aiortc keeps the promises of a channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hallway.interfaces import Connector
from hallway.model import DeviceInfo
from hallway.testing.conformance import ChannelCapabilities, ChannelConformance, context
from hallway_aiortc_channel import AiortcConfig
from hallway_aiortc_channel.plugin import hallway_channel


class TestAiortc(ChannelConformance):
    provider = next(iter(hallway_channel()))
    capabilities = ChannelCapabilities(
        max_message=256 * 1024, has_binding=True, waits_for_reader=False, sends_now=True, tells_acknowledged=True, tells_path=True
    )

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Connector]]:
        yield lambda device: self.provider.factory(AiortcConfig(), context(device))
