"""One connection, and the gate that decides at accept whether it may stay. aiohttp has neither a cap nor a bound on a connection's life."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from weakref import WeakSet

import attrs
from aiohttp import web

from hallway.model import Refusal, RefusalCode
from hallway.network import InterfacePolicy
from hallway_http_local_signaling._limits import Bounds, Connections
from hallway_http_local_signaling.responses import respond

_log = logging.getLogger(__name__)

_FRESH = 1.0
"""Seconds for which the addresses of the interface policy are believed."""
_FRESH_ENOUGH = 0.05
"""Seconds for which they are believed to lack an address that somebody connects to: it may have come just now."""


_STUBBORN = 0.5
"""Seconds that a cancelled handler has to end."""


class LocalAddresses:
    """The addresses of this device that may be asked: those of the interface policy, and loopback."""

    def __init__(self, policy: InterfacePolicy) -> None:
        self._policy = policy
        self._ips: frozenset[Any] = frozenset()
        self._read_at = float("-inf")

    def allow(self, address: str, now: float) -> bool:
        """Whether a connection to ``address`` of ours may be served."""
        ip = ipaddress.ip_address(address)
        if ip.is_loopback:
            return True
        if now - self._read_at >= (_FRESH if ip in self._ips else _FRESH_ENOUGH):
            self._read()
            self._read_at = now
        return ip in self._ips

    def _read(self) -> None:
        try:
            self._ips = frozenset(entry.ip for entry in self._policy.addresses())
        except OSError as error:
            _log.debug("the addresses of this device cannot be read, and the last ones count: %s", error)


@attrs.frozen(eq=False)
class Visit:
    """A connection that was let in: where from, since when (the loop's `time()`), and how large its share of the bounds is."""

    transport: asyncio.Transport
    address: str
    since: float
    share: int
    end: asyncio.TimerHandle


class Gate:
    """Knows all connections, lets new ones in while there is room, and sees to it that all of them end."""

    def __init__(self, policy: InterfacePolicy, bounds: Bounds) -> None:
        self._loop = asyncio.get_running_loop()
        self._local = LocalAddresses(policy)
        self._bounds = bounds
        self._table: Connections[Connection] = Connections(bounds)
        self._visits: dict[Connection, Visit] = {}
        # Weak: asyncio may drop a connection that it made before it had a transport.
        self._made: WeakSet[Connection] = WeakSet()
        self._closing = False
        self._running: set[Connection] = set()
        self._handlers: dict[asyncio.Task[Any], Connection] = {}
        self._spared: set[Connection] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._visits)

    def visit(self, connection: Connection) -> Visit | None:
        """What is known of an open connection."""
        return self._visits.get(connection)

    def expect(self, connection: Connection) -> None:
        """A connection was made, and `leave` will be called for it."""
        self._made.add(connection)
        self._quiet.clear()

    def enter(self, connection: Connection, transport: asyncio.Transport) -> bool:
        """Whether a connection that was just accepted may stay. An older one may be ended for it."""
        ends = _ends(transport)
        if self._closing or ends is None or not self._local.allow(ends[0], self._loop.time()):
            return False
        # Only a process of this machine can come from the address that it connects to.
        share = self._bounds.own_share if ends[0] == ends[1] else 1
        admission = self._table.admit(connection, ends[1], share)
        if admission.displaced is not None:
            self._visits[admission.displaced].transport.abort()
        if admission.admitted:
            end = self._loop.call_later(self._bounds.life, transport.abort)
            self._visits[connection] = Visit(transport, ends[1], self._loop.time(), share, end)
        return admission.admitted

    def leave(self, connection: Connection) -> None:
        """The connection's transport has ended."""
        self._table.leave(connection)
        self._made.discard(connection)
        visit = self._visits.pop(connection, None)
        if visit is not None:
            visit.end.cancel()
        self._settle()

    @contextmanager
    def running(self, connection: Connection) -> Iterator[None]:
        """The connection's task runs inside of this."""
        self._running.add(connection)
        self._quiet.clear()
        try:
            yield
        finally:
            self._running.discard(connection)
            self._settle()

    @contextmanager
    def answering(self, connection: Connection) -> Iterator[None]:
        """A whole request has come and is being answered inside of this: the connection keeps its place."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._handlers[task] = connection
        self._table.busy(connection, busy=True)
        try:
            yield
        finally:
            self._table.busy(connection, busy=False)
            del self._handlers[task]

    def _settle(self) -> None:
        if self._spared.issuperset((*self._made, *self._running)):
            self._quiet.set()
        else:
            self._quiet.clear()

    async def aclose(self) -> None:
        """End idle connections at once, the others after the grace; return when no task is left.

        Called while a request is answered, by its own task, it spares that request, which ends its connection with its response.
        """
        self._closing = True
        self._spare(asyncio.current_task())
        for connection in list(self._visits):
            connection.end_if_idle()
        try:
            async with asyncio.timeout(self._bounds.grace):
                await self._quiet.wait()
        except TimeoutError:
            _log.debug("%d connections are ended", len(self._visits))
        finally:
            for connection, visit in self._visits.items():
                if connection not in self._spared:
                    visit.transport.abort()
        await self._ended()

    def _spare(self, closer: asyncio.Task[Any] | None) -> None:
        own = None if closer is None else self._handlers.get(closer)
        if own is None:
            self._spared.clear()
        else:
            self._spared.add(own)
        self._settle()

    async def _ended(self) -> None:
        try:
            async with asyncio.timeout(_STUBBORN):
                await self._quiet.wait()
        except TimeoutError:
            _log.warning("%d handlers go on although they were cancelled", len(self._running - self._spared))


def _ends(transport: asyncio.Transport) -> tuple[str, str] | None:
    """The local and the remote address without scopes; None if the connection has gone already."""
    names = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    if not all(names):
        return None
    local, remote = (str(name[0]).partition("%")[0] for name in names)
    return local, remote


class Connection(web.RequestHandler):
    """aiohttp's connection behind our gate, with our error bodies and without its tracebacks."""

    def __init__(self, manager: web.Server, gate: Gate, **options: Any) -> None:
        super().__init__(manager, **options)
        self._gate = gate
        gate.expect(self)
        self._answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or end at once."""
        stream = cast("asyncio.Transport", transport)
        if self._gate.enter(self, stream):
            super().connection_made(transport)
        else:
            stream.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        self._gate.leave(self)
        super().connection_lost(exc)

    async def start(self) -> None:
        """Serve the requests of this connection."""
        with self._gate.running(self):
            await super().start()

    @contextmanager
    def request(self) -> Iterator[None]:
        """A request is under way inside of this."""
        self._answering = True
        try:
            yield
        finally:
            self._answering = False

    def end_if_idle(self) -> None:
        """End now if no request is under way."""
        if not self._answering:
            self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The response to what is no HTTP (400), or whose handling failed (500). Ends the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun already")
        if status < 500:
            _log.debug("%s sent what is no HTTP: %s", request.remote, message)
            return respond(Refusal(RefusalCode.BAD_REQUEST, "this is no HTTP request, or its head is too large"), last=True)
        if not isinstance(exc, ConnectionError):
            _log.error("handling a request from %s failed", request.remote, exc_info=exc)
        return respond(Refusal(RefusalCode.INTERNAL, "handling the request failed"), last=True)
