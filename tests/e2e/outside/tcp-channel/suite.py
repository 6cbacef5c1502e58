"""TCP keeps the promises of a channel."""

from contextlib import asynccontextmanager

from hallway_tcp import TcpConfig, hallway_channel

from hallway.testing.conformance import ChannelCapabilities, ChannelConformance, context


class TestTcp(ChannelConformance):
    provider = hallway_channel()[0]
    capabilities = ChannelCapabilities(max_message=256 * 1024)

    @asynccontextmanager
    async def site(self):
        yield lambda device: self.provider.factory(TcpConfig(), context(device))
