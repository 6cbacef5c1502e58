"""How much either end of a connection may ask of the other: pure values that need no clock (`now` is an argument) and cannot grow."""

from __future__ import annotations

import attrs

MAX_BODY = 32 * 1024
"""Bytes in the body of one envelope, as the guard made it."""

MAX_MESSAGE = 48 * 1024
"""Bytes (UTF-8) in one WebSocket message: a body of `MAX_BODY` in base64 and what is around it, or a whole room's presence."""

MAX_ROOM = 64
"""Devices in one room; what a server tells of more is not believed."""


@attrs.frozen(kw_only=True)
class FrameBounds:
    """What one connection may cost in WebSocket frames of any kind, pings and fragments included; beyond it, it ends."""

    rate: float = 200.0
    burst: float = 1000.0
    unsent: int = 256 * 1024
    """Bytes that wait to be sent (answers to pings count); a reader that is slower than that is disconnected."""


@attrs.frozen(kw_only=True)
class Limits:
    """Every bound of the server. Sizes in bytes, times in seconds, rates in messages a second."""

    rate: float = 20.0
    burst: float = 200.0
    room: int = MAX_ROOM
    connections: int = 1024
    address_connections: int = 128
    """Connections of one address: a whole site comes from one."""
    open_time: float = 5.0
    """Until the HTTP upgrade is complete, and again until ``join`` is there."""
    ping: float = 20.0
    """Between two pings, and until a pong counts as missing."""
    probe: float = 2.0
    """Until the holder of a device id that another connection claims counts as dead."""
    grace: float = 1.0
    """What a connection gets to answer our close frame."""
    frames: FrameBounds = FrameBounds()

    @property
    def frame_bounds(self) -> FrameBounds:
        """``frames``, wide enough for the messages that are allowed, each in two fragments."""
        frames = self.frames
        return attrs.evolve(frames, rate=max(frames.rate, 2 * self.rate), burst=max(frames.burst, 2 * self.burst))


@attrs.frozen(kw_only=True)
class Bounds:
    """Every bound of the client. Sizes in bytes, times in seconds, rates in messages a second."""

    rate: float = 16.0
    burst: float = 160.0
    """What we send; less if the server says so. Both stay below the server's, whose clock is not ours."""
    read_rate: float = 64.0
    read_burst: float = 512.0
    """What we read; a server that sends more has to wait."""
    requests: int = 32
    """Requests of others that are handled at once."""
    handling: float = 10.0
    """Until a request that came in is answered."""
    opening: float = 5.0
    """Until we are in the room: name, connection, TLS, upgrade and join."""
    ping: float = 20.0
    visit: float = 5.0
    """How long a visit to an earlier room is."""
    visits_apart: float = 60.0
    """Seconds between two rounds of them, about."""
    steady: float = 5.0
    """A connection that lived shorter counts as one more failure, so that a server that throws us out is not asked ever faster."""
    frames: FrameBounds = FrameBounds()
