"""libwebrtc keeps the promises of a channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hallway.interfaces import Connector
from hallway.model import DeviceInfo
from hallway.testing.conformance import ChannelCapabilities, ChannelConformance, context
from hallway_libwebrtc_channel import LibwebrtcConfig
from hallway_libwebrtc_channel.plugin import hallway_channel


class TestLibwebrtc(ChannelConformance):
    provider = next(iter(hallway_channel()))
    capabilities = ChannelCapabilities(max_message=256 * 1024, has_binding=True, waits_for_reader=False, sends_now=True, tells_path=True)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Connector]]:
        yield lambda device: self.provider.factory(LibwebrtcConfig(), context(device))
