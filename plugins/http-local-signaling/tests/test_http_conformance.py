"""http-local keeps the promises of a carrier."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress

from hallway.interfaces import Signaling
from hallway.model import DeviceInfo
from hallway.network import InterfacePolicy
from hallway.testing.conformance import SignalingCapabilities, SignalingConformance, context
from hallway_http_local_signaling import HttpLocalConfig
from hallway_http_local_signaling.config import PORTS_TRIED
from hallway_http_local_signaling.plugin import hallway_signaling

LOOPBACK = InterfacePolicy(allow=("lo*",))


class TestHttpLocal(SignalingConformance):
    provider = next(iter(hallway_signaling()))
    capabilities = SignalingCapabilities(hinderable=True)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Signaling]]:
        self.port = random.randrange(20_000, 30_000)
        yield lambda device: self.provider.factory(HttpLocalConfig(port=self.port), context(device, LOOPBACK))

    @asynccontextmanager
    async def hindrance(self) -> AsyncIterator[None]:
        with ExitStack() as taken:
            for port in range(self.port, self.port + PORTS_TRIED):
                sock = taken.enter_context(socket.socket())
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with suppress(OSError):  # taken by the other device
                    sock.bind(("0.0.0.0", port))
                    sock.listen()
            yield
