"""websockets' connections with a bound on what the other end can cost: frames of any kind, and bytes that it does not read."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any, cast

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.frames import Frame
from websockets.protocol import Event, State

from hallway.protocol.bucket import Bucket
from hallway_cloud_ws_signaling._limits import FrameBounds
from hallway_cloud_ws_signaling._messages import Ending

_SLICE = 4096
"""Bytes that are parsed before we look whether the connection may go on: they hold 700 frames at most."""

_ENDING = 1.0
"""Seconds that a connection which must end gets to do so by itself."""

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"

LIBRARY_LOG = logging.getLogger("hallway_cloud_ws_signaling.websockets")
"""What websockets tells of each connection. Strangers cause it, with tracebacks, so only what is critical is let through by default."""
LIBRARY_LOG.setLevel(logging.CRITICAL)


class Bounded(Connection):
    """The bounds, for either side."""

    def __init__(self, *args: Any, bounds: FrameBounds, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unsent = bounds.unsent
        self._frames = Bucket(bounds.rate, bounds.burst, self.loop.time())
        self._end: asyncio.TimerHandle | None = None

    def send_now(self, text: str) -> bool:
        """Hand ``text`` to the system without waiting; False if the connection is not open or its other end reads too slowly."""
        if self.transport.is_closing():
            return False
        broadcast([self], text)
        return self._keeps_up() and self.protocol.state is State.OPEN

    def _keeps_up(self) -> bool:
        if self.transport.get_write_buffer_size() > self._unsent:
            self.transport.abort()
            return False
        return True

    def data_received(self, data: bytes) -> None:
        """Parse in slices; the answers to pings go out without asking whether anybody reads them, so look after each."""
        for start in range(0, len(data), _SLICE):
            super().data_received(data[start : start + _SLICE])
            if not self._keeps_up():
                return
        self._end_in_time()

    def process_event(self, event: Event) -> None:
        """Count a frame and pass it on."""
        if isinstance(event, Frame) and not self._frames.take(self.loop.time()):
            self.end(Ending.RATE_LIMITED)
        else:
            super().process_event(event)

    def end(self, ending: Ending) -> None:
        """Send the close frame and take no more; the connection is gone in a second at most."""
        if self.protocol.state is State.OPEN:
            self.protocol.fail(ending.close_code, ending.code)
            self.send_data()
            self.transport.resume_reading()  # what is still under way is thrown away, so that the other end sees our close frame
        self._end_in_time()

    def _end_in_time(self) -> None:
        """The library waits for the other end to close after a violation; we do not."""
        if self._end is None and self.protocol.close_expected():
            self._end = self.loop.call_later(_ENDING, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)


class BoundedClient(Bounded, ClientConnection):
    """Our end of a connection to a server that may be hostile."""


class Gate:
    """Counts connections, in all and for each address, and lets new ones in while there is room."""

    def __init__(self, connections: int, of_one_address: int) -> None:
        self._most = connections
        self._most_of_one = of_one_address
        self._addresses: Counter[str] = Counter()
        self.open: set[BoundedServer] = set()
        self.closing = False

    def enter(self, connection: BoundedServer) -> bool:
        """Whether a connection that was just accepted may stay."""
        full = len(self.open) >= self._most or self._addresses[connection.address] >= self._most_of_one
        if self.closing or full:
            return False
        self.open.add(connection)
        self._addresses[connection.address] += 1
        return True

    def leave(self, connection: BoundedServer) -> None:
        """A connection has ended."""
        self.open.discard(connection)
        self._addresses[connection.address] -= 1
        self._addresses += Counter()  # forget who has none


class BoundedServer(Bounded, ServerConnection):
    """Our end of a connection to a client that may be hostile; it exists only if the gate has room."""

    def __init__(self, *args: Any, gate: Gate, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._gate = gate
        self._is_in = False
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or say that there is no room and end at once."""
        stream = cast("asyncio.Transport", transport)
        self.address = str((stream.get_extra_info("peername") or ("",))[0]).partition("%")[0]
        self._is_in = self._gate.enter(self)
        if self._is_in:
            super().connection_made(transport)
        else:
            stream.write(_FULL)
            stream.close()

    def data_received(self, data: bytes) -> None:
        """As its base, unless there was no room."""
        if self._is_in:
            super().data_received(data)

    def eof_received(self) -> None:
        """As its base, unless there was no room."""
        if self._is_in:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        if self._is_in:
            self._gate.leave(self)
            super().connection_lost(exc)
