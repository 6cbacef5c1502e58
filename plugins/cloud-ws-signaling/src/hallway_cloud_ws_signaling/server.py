"""The signal server: one node that lets devices of one room see and reach each other, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import logging
import socket
from collections.abc import Iterable
from typing import Any, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from hallway.errors import SignalingUnavailable
from hallway.network import InterfacePolicy
from hallway_cloud_ws_signaling import _wire as wire
from hallway_cloud_ws_signaling._limits import MAX_MESSAGE, Limits
from hallway_cloud_ws_signaling._messages import Ending, Join, WireError
from hallway_cloud_ws_signaling._rooms import Rooms, Send
from hallway_cloud_ws_signaling.bounded import LIBRARY_LOG, BoundedServer, Gate

logger = logging.getLogger(__name__)


class SignalServer:
    """Serves rooms at one address, until `aclose`. ``policy`` says which addresses `urls` names for a wildcard."""

    def __init__(self, limits: Limits | None = None, *, policy: InterfacePolicy | None = None) -> None:
        self._limits = limits or Limits()
        self._policy = policy or InterfacePolicy()
        self._rooms: Rooms[BoundedServer] = Rooms(self._limits)
        self._server: Server | None = None
        self._gate = Gate(self._limits.connections, self._limits.address_connections)

    @property
    def connections(self) -> int:
        """How many connections are open, joined or not."""
        return len(self._gate.open)

    async def start(self, host: str = "127.0.0.1", port: int = 8765) -> None:
        """Listen at ``host``, an IP address, and ``port`` (0: any free one).

        Raises:
            SignalingUnavailable: it cannot listen there.

        """
        limits = self._limits
        try:
            self._server = await serve(
                self._serve,
                host,
                port,
                process_request=self._http,
                origins=[None],
                compression=None,
                server_header=None,
                open_timeout=limits.open_time,
                close_timeout=limits.grace,
                ping_interval=limits.ping,
                ping_timeout=limits.ping,
                max_size=MAX_MESSAGE,
                write_limit=2 * limits.frames.unsent,
                logger=LIBRARY_LOG,
                create_connection=cast("type[ServerConnection]", self._connection),
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise SignalingUnavailable(f"cannot listen at {host} port {port}: {reason}", hint="give another --host or --port") from error

    def urls(self) -> tuple[str, ...]:
        """The ``ws://`` URLs at which devices find the server; those of the interface policy if it listens at every address."""
        return tuple(url for sock in self._sockets() for url in self._urls_of(sock))

    def _urls_of(self, sock: socket.socket) -> Iterable[str]:
        host, port = sock.getsockname()[:2]
        wildcard = {"0.0.0.0": 4, "::": 6}.get(host)  # noqa: S104
        hosts = [str(each.ip) for each in self._policy.addresses() if each.ip.version == wildcard] if wildcard else [host]
        return (f"ws://[{each}]:{port}" if ":" in each else f"ws://{each}:{port}" for each in hosts)

    def _sockets(self) -> tuple[socket.socket, ...]:
        return tuple(self._server.sockets) if self._server is not None else ()

    async def aclose(self) -> None:
        """Take no more connections, close the others with 1001, and abort those that do not answer within `Limits.grace`.

        Closing twice is silent.
        """
        self._gate.closing = True
        if self._server is None:
            return
        server, self._server = self._server, None
        await _stop_accepting(server)
        server.close()
        try:
            async with asyncio.timeout(self._limits.grace):
                await server.wait_closed()
        except TimeoutError:
            logger.debug("%d connections are aborted", len(self._gate.open))
        finally:
            for connection in tuple(self._gate.open):
                connection.transport.abort()
        await server.wait_closed()

    def _connection(self, *args: Any, **kwargs: Any) -> BoundedServer:
        return BoundedServer(*args, gate=self._gate, bounds=self._limits.frame_bounds, **kwargs)

    def _http(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path.partition("?")[0] != "/health":
            return None
        health = {"status": "ok", "rooms": self._rooms.rooms, "devices": self._rooms.devices}
        response = connection.respond(http.HTTPStatus.OK, json.dumps(health))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        response.headers["Cache-Control"] = "no-store"
        return response

    # One connection.

    async def _serve(self, connection: ServerConnection) -> None:
        client = cast("BoundedServer", connection)
        try:
            await self._join(client)
            async for text in client:
                self._send(self._rooms.receive(client, text, _now()))
        except WireError as error:
            self._send(self._rooms.leave(client))
            await self._refuse(client, error)
        except ConnectionClosed:
            return
        finally:
            self._send(self._rooms.leave(client))

    async def _join(self, client: BoundedServer) -> None:
        try:
            async with asyncio.timeout(self._limits.open_time):
                join = wire.read_join(await client.recv())
                await self._make_way(join)
        except TimeoutError as error:
            raise WireError(f"join must be here within {self._limits.open_time:g} s", Ending.TOO_SLOW) from error
        self._send(self._rooms.join(client, join, _now()))

    async def _make_way(self, join: Join) -> None:
        """If the id is held by a connection that is dead, end that one: a device that lost its network must get back."""
        holder = self._rooms.holder(join)
        if holder is None or await self._lives(holder):
            return
        holder.transport.abort()
        self._send(self._rooms.leave(holder))

    async def _lives(self, holder: BoundedServer) -> bool:
        try:
            async with asyncio.timeout(self._limits.probe):
                await (await holder.ping())
        except (TimeoutError, ConnectionClosed):
            return False
        return True

    async def _refuse(self, client: BoundedServer, error: WireError) -> None:
        logger.info("%s is refused: %s", client.address, error)
        client.send_now(wire.ended(error.ending, str(error)))
        client.end(error.ending)
        await client.wait_closed()

    def _send(self, sends: Iterable[Send[BoundedServer]]) -> None:
        for each in sends:
            if not each.to.send_now(each.text):
                logger.info("%s does not read, or has gone", each.to.address)


async def _stop_accepting(server: Server) -> None:
    """Let connections that were accepted in this turn of the loop be made: `asyncio.Server.close` would leak them on Python 3.11."""
    loop = asyncio.get_running_loop()
    for sock in server.sockets:
        with contextlib.suppress(NotImplementedError):  # the loop of Windows has no readers
            loop.remove_reader(sock.fileno())
    await asyncio.sleep(0)


def _now() -> float:
    return asyncio.get_running_loop().time()
