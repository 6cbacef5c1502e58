"""From a URL to a place in a room: name, TCP, TLS, upgrade, join; each step under the one deadline, none in a thread."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import attrs
from websockets.asyncio.client import ClientConnection, connect

from hallway.errors import SignalingUnavailable
from hallway.network import Resolver
from hallway_cloud_ws_signaling import _wire as wire
from hallway_cloud_ws_signaling._limits import MAX_MESSAGE, Bounds
from hallway_cloud_ws_signaling._messages import Ended, Ending, Join, Joined, WireError
from hallway_cloud_ws_signaling.bounded import LIBRARY_LOG, BoundedClient
from hallway_cloud_ws_signaling.errors import mapped

_GRACE = 0.5
"""Seconds that the server has to answer our close frame."""

_PORTS = {"ws": 80, "wss": 443}


@attrs.frozen
class Entry:
    """An open connection that is in the room, the place that it has there, and what the server said when it let us in."""

    connection: BoundedClient
    join: Join
    joined: Joined


class Connector:
    """Connects one device to one URL, again and again; ``join`` tells which place to ask for."""

    def __init__(self, url: str, join: Callable[[], Join], resolver: Resolver, bounds: Bounds) -> None:
        self._url = url
        self._join = join
        self._resolver = resolver
        self._bounds = bounds
        self._trust: ssl.SSLContext | None = None

    async def enter(self) -> Entry:
        """Connect and join. Whoever gets the entry must end its connection.

        Raises:
            SignalingUnavailable: it did not work within `Bounds.opening`.

        """
        with mapped(self._url):
            async with asyncio.timeout(self._bounds.opening):
                connection = await self._connect()
                join = self._join()
                try:
                    return Entry(connection, join, await self._ask(connection, join))
                except BaseException:
                    connection.transport.abort()
                    raise

    async def _connect(self) -> BoundedClient:
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        address = await self._address(host)
        connection = await connect(
            self._url,
            # With an address, neither asyncio nor websockets look a name up; TLS still verifies the URL's.
            host=address,
            port=parts.port or _PORTS[parts.scheme],
            ssl=self._context() if parts.scheme == "wss" else None,
            compression=None,
            proxy=None,
            user_agent_header=None,
            open_timeout=None,
            close_timeout=_GRACE,
            ping_interval=self._bounds.ping,
            ping_timeout=self._bounds.ping,
            max_size=MAX_MESSAGE,
            write_limit=2 * self._bounds.frames.unsent,
            logger=LIBRARY_LOG,
            create_connection=cast("type[ClientConnection]", partial(BoundedClient, bounds=self._bounds.frames)),
        )
        assert isinstance(connection, BoundedClient)
        return connection

    async def _address(self, host: str) -> str:
        # RFC 6761 section 6.3: DNS is not to be asked for it.
        if host == "localhost" or host.endswith(".localhost"):
            return "127.0.0.1"
        return await self._resolver.resolve(host, asyncio.get_running_loop().time() + self._bounds.opening)

    def _context(self) -> ssl.SSLContext:
        """The system's trust, read once: that takes some 20 ms of the loop."""
        if self._trust is None:
            self._trust = ssl.create_default_context()
        return self._trust

    async def _ask(self, connection: BoundedClient, join: Join) -> Joined:
        await connection.send(wire.join(join.room, join.member))
        match wire.read_from_server(await connection.recv()):
            case Joined() as joined:
                return joined
            case Ended(code, message):
                raise SignalingUnavailable(f"{self._url} refused us: {message} ({code})", hint=_HINTS.get(code, ""))
            case _:
                raise WireError("it answered join with something else")


_HINTS = {
    Ending.ID_TAKEN.code: "give each device of the property an id of its own",
    Ending.ROOM_FULL.code: "give each site a property of its own",
    Ending.UNSUPPORTED_VERSION.code: "upgrade hallway-cloud-ws-signaling on the device or on the server",
}
