"""The carrier `http-local`: a server that takes requests, a client that makes them."""

from __future__ import annotations

import asyncio

from hallway.errors import ClosedError, SignalingUnavailable
from hallway.interfaces import Signaling, SignalingHost
from hallway.model import Envelope, Refusal
from hallway.network import AddressWatcher, InterfaceAddress
from hallway.plugins import PluginContext
from hallway_http_local_signaling._limits import Bounds
from hallway_http_local_signaling.client import HttpClient
from hallway_http_local_signaling.config import HttpLocalConfig
from hallway_http_local_signaling.server import HttpServer

_WARM_UP_TIME = 0.5


class HttpLocalSignaling(Signaling):
    """Signaling over HTTP on the LAN, in both directions. ``watch`` is the time in seconds between two looks at our own addresses."""

    def __init__(self, config: HttpLocalConfig, context: PluginContext, *, bounds: Bounds | None = None, watch: float = 2.0) -> None:
        self._config = config
        self._context = context
        self._bounds = bounds or Bounds()
        self._watch_interval = watch
        self._client = HttpClient(context.resolver, context.interfaces, self._bounds)
        self._server: HttpServer | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self, host: SignalingHost) -> None:
        """As `Signaling.start`."""
        if self._closed:
            raise ClosedError("http-local was closed")
        self._client.open()
        name = self._context.device.device_id if self._context.cover is None else None
        server = HttpServer(name, host.handle, self._context.interfaces, self._bounds)
        self._server = server
        try:
            await server.start(self._config.port)
            addresses = self._addresses()
            host.up(server.urls(addresses))
            self._watcher = asyncio.create_task(self._watch(server, host, addresses), name="http-local addresses")
            await self._client.warm_up(server.own_url, asyncio.get_running_loop().time() + _WARM_UP_TIME)
        except BaseException:
            await self._stop(server)
            raise

    def _addresses(self) -> tuple[InterfaceAddress, ...]:
        try:
            return self._context.interfaces.addresses()
        except OSError as error:
            raise SignalingUnavailable(f"the addresses of this device cannot be read: {error}") from error

    async def _watch(self, server: HttpServer, host: SignalingHost, known: tuple[InterfaceAddress, ...]) -> None:
        """Say `up` again when our addresses have changed. The sockets need no change: they are bound to all addresses."""
        async for addresses in AddressWatcher(self._context.interfaces, known, interval=self._watch_interval):
            host.up(server.urls(addresses))

    async def request(self, endpoint: str, envelope: Envelope, deadline: float) -> Envelope | Refusal:
        """As `Signaling.request`. ``endpoint`` is ``http://host:port``; a path in it is ignored."""
        return await self._client.request(endpoint, envelope, deadline)

    async def aclose(self) -> None:
        """As `Signaling.aclose`."""
        self._closed = True
        try:
            if self._server is not None:
                await self._stop(self._server)
        finally:
            await self._client.aclose()

    async def _stop(self, server: HttpServer) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
        try:
            await server.aclose()
        finally:
            if watcher is not None:
                await asyncio.wait([watcher])
