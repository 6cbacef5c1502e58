"""The server of one device: five paths, and a bound on everything that a stranger can send."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import cast

from aiohttp import hdrs, web

from hallway.errors import ClosedError
from hallway.model import Envelope, Origin, Refusal, RefusalCode
from hallway.network import InterfaceAddress, InterfacePolicy
from hallway_http_local_signaling._limits import Bounds, RateLimit
from hallway_http_local_signaling._requests import Head, Rejection, Route, content_type, judge, reject, too_large
from hallway_http_local_signaling.config import NAME
from hallway_http_local_signaling.connection import Connection, Gate
from hallway_http_local_signaling.listeners import BACKLOG, open_listeners
from hallway_http_local_signaling.responses import respond

_log = logging.getLogger(__name__)

CHEAP = frozenset({RefusalCode.UNAUTHENTICATED, RefusalCode.REPLAY})
"""How the host refuses what is nobody's, before it does anything that costs."""

Handler = Callable[[Envelope, Origin], Awaitable[Envelope | Refusal]]
"""What decides on an envelope. It is cancelled when the requester has gone."""


class HttpServer:
    """Serves one device's signaling paths on one port of all allowed addresses, until `aclose`.

    ``device_id`` is None for a device that does not show its name.
    """

    def __init__(self, device_id: str | None, handler: Handler, interfaces: InterfacePolicy, bounds: Bounds | None = None) -> None:
        self._device_id = device_id
        self._handler = handler
        self._interfaces = interfaces
        self._bounds = bounds or Bounds()
        self._listeners: list[asyncio.Server] = []
        self._gate: Gate | None = None
        self._rate: RateLimit | None = None
        self._has_ipv4 = False
        self._closed = False
        self.port = 0

    def urls(self, addresses: Iterable[InterfaceAddress]) -> tuple[str, ...]:
        """``http://address:port`` for each of these addresses of the interface policy.

        Loopback is there only if it is all that is left, as the policy has it: it means nothing to others.
        """
        ips = [entry.ip for entry in addresses]
        return tuple(f"http://[{ip}]:{self.port}" if ip.version == 6 else f"http://{ip}:{self.port}" for ip in ips)

    @property
    def own_url(self) -> str:
        """The loopback URL."""
        return f"http://127.0.0.1:{self.port}" if self._has_ipv4 else f"http://[::1]:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._gate) if self._gate else 0

    async def start(self, port: int) -> None:
        """Listen on ``port`` or the next free of the nine after it (0: any free port); `port` says which it became.

        Raises:
            SignalingUnavailable: none of the ports is free.
            ClosedError: after `aclose`.

        """
        if self._closed:
            raise ClosedError("the signaling server was closed")
        sockets, port = open_listeners(port)
        try:
            await self._listen(sockets)
        except BaseException:
            self._release()
            for sock in sockets:
                sock.close()
            raise
        self.port = port

    async def _listen(self, sockets: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        self._has_ipv4 = any(sock.family == socket.AF_INET for sock in sockets)
        self._gate = gate = Gate(self._interfaces, self._bounds)
        self._rate = RateLimit(self._bounds, loop.time())
        manager = web.Server(self._serve, handler_cancellation=True)
        for sock in sockets:
            self._listeners.append(await loop.create_server(lambda: self._connect(manager, gate), sock=sock, backlog=BACKLOG))
        if self._closed:
            raise ClosedError("the signaling server was closed while it started")

    def _release(self) -> None:
        while self._listeners:
            self._listeners.pop().close()

    def _connect(self, manager: web.Server, gate: Gate) -> Connection:
        bounds = self._bounds
        return Connection(
            manager,
            gate,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=bounds.idle,
            lingering_time=bounds.linger,
            max_line_size=bounds.line,
            max_field_size=bounds.field,
            max_headers=bounds.fields,
            auto_decompress=False,
            access_log=None,
            logger=_log,
        )

    async def aclose(self) -> None:
        """Take no more connections, refuse new requests, give those under way a moment and end them. Closing twice is silent."""
        self._closed = True
        try:
            await self._stop_accepting()
        finally:
            self._release()
        if self._gate is not None:
            await self._gate.aclose()

    async def _stop_accepting(self) -> None:
        """Let connections that were accepted in this turn of the loop be made: `asyncio.Server.close` would leak them on Python 3.11."""
        loop = asyncio.get_running_loop()
        for sock in (sock for server in self._listeners for sock in server.sockets):
            with contextlib.suppress(NotImplementedError):  # the loop of Windows has no readers
                loop.remove_reader(sock.fileno())
        await asyncio.sleep(0)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = cast("Connection", request.protocol)
        with connection.request():
            outcome = await self._answer(request, connection)
        return respond(outcome, last=isinstance(outcome, Rejection) or self._aged(connection))

    def _aged(self, connection: Connection) -> bool:
        assert self._gate is not None
        visit = self._gate.visit(connection)
        return self._closed or visit is None or asyncio.get_running_loop().time() - visit.since > self._bounds.life / 2

    async def _answer(self, request: web.BaseRequest, connection: Connection) -> Envelope | Refusal | Rejection:
        assert self._gate is not None
        head = _head(request)
        route = self._refuse_early(connection) or judge(head, self._device_id, self._bounds.body)
        if isinstance(route, Rejection):
            return route
        if route is Route.HEALTH:
            return self._health()
        most = self._bounds.pair_body if route is Route.PAIR else self._bounds.body
        body = await self._read(request, most)
        if isinstance(body, Rejection):
            return body
        if self._closed:
            return reject(RefusalCode.CLOSING, "this device is closing")
        with self._gate.answering(connection):
            return await self._decide(Envelope(route.value, content_type(head), body), Origin(NAME, _remote(request)))

    async def _decide(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        assert self._rate is not None
        if wait := self._rate.take(envelope.kind, asyncio.get_running_loop().time()):
            return _too_many(wait)
        outcome = await self._handler(envelope, origin)
        if isinstance(outcome, Refusal) and outcome.code in CHEAP:
            self._rate.give_back(envelope.kind)
        return outcome

    def _refuse_early(self, connection: Connection) -> Rejection | None:
        assert self._gate is not None
        assert self._rate is not None
        visit = self._gate.visit(connection)
        if self._closed or visit is None:
            return reject(RefusalCode.CLOSING, "this device is closing")
        wait = self._rate.ask(visit.address, visit.share, asyncio.get_running_loop().time())
        if not wait:
            return None
        after: dict[str, str] = {hdrs.RETRY_AFTER: str(math.ceil(wait))}
        return Rejection(_too_many(wait), headers=after)

    def _health(self) -> Envelope:
        name = {} if self._device_id is None else {"deviceId": self._device_id}
        text = json.dumps({"status": "ok", **name})
        return Envelope("health", "application/json", text.encode())

    async def _read(self, request: web.BaseRequest, most: int) -> bytes | Rejection:
        if (request.content_length or 0) > most:
            return too_large(most)
        body = bytearray()
        try:
            async with asyncio.timeout(self._bounds.body_time):
                while chunk := await request.content.readany():
                    body += chunk
                    if len(body) > most:
                        return too_large(most)
        except TimeoutError:
            return reject(RefusalCode.TOO_SLOW, f"the body must be here within {self._bounds.body_time:g} s")
        except web.RequestPayloadError:
            return reject(RefusalCode.BAD_REQUEST, "the body is broken")
        return bytes(body)


def _too_many(wait: float) -> Refusal:
    return Refusal(RefusalCode.RATE_LIMITED, f"too many requests; ask again in {wait:.1f} s")


def _head(request: web.BaseRequest) -> Head:
    headers = request.headers
    return Head(
        method=request.method,
        path=request.path,
        hosts=_hosts(request),
        origins=tuple(headers.getall(hdrs.ORIGIN, ())),
        content_types=tuple(headers.getall(hdrs.CONTENT_TYPE, ())),
        content_encodings=tuple(headers.getall(hdrs.CONTENT_ENCODING, ())),
        length=request.content_length,
    )


def _hosts(request: web.BaseRequest) -> tuple[str, ...]:
    """The host that is asked: a target in absolute form beats the header (RFC 9112 section 3.2.2)."""
    if request.raw_path.startswith("/"):
        return tuple(request.headers.getall(hdrs.HOST, ()))
    return (request.url.authority,)


def _remote(request: web.BaseRequest) -> str | None:
    return request.remote.partition("%")[0] if request.remote else None
