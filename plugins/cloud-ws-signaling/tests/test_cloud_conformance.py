"""cloud-ws keeps the promises of a carrier."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from hallway.interfaces import Signaling
from hallway.model import DeviceInfo
from hallway.testing.conformance import SignalingCapabilities, SignalingConformance, context
from hallway_cloud_ws_signaling import CloudWsConfig, SignalServer
from hallway_cloud_ws_signaling.plugin import hallway_signaling


class TestCloudWs(SignalingConformance):
    provider = next(iter(hallway_signaling()))
    capabilities = SignalingCapabilities(presence=True, knows_addresses=False, hinderable=True)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Signaling]]:
        self.server = SignalServer()
        await self.server.start(port=0)
        self.url = self.server.urls()[0]
        try:
            yield lambda device: self.provider.factory(CloudWsConfig(url=self.url), context(device))
        finally:
            await self.server.aclose()

    @asynccontextmanager
    async def hindrance(self) -> AsyncIterator[None]:
        await self.server.aclose()
        yield
        self.server = SignalServer()
        await self.server.start(port=urlsplit(self.url).port or 0)
