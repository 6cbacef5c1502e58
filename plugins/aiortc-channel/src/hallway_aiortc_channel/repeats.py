"""Datagrams that are sent again before anybody can know that they were lost, while a connection is being made.

ICE, DTLS and SCTP all begin with a wait of half a second to three seconds for an answer, which on a LAN comes within milliseconds. Each
lost one of the some twenty datagrams of a connection costs such a wait. A copy costs nothing: STUN answers it, DTLS drops it as a replay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

CHECKS = (0.03, 0.07, 0.15, 0.35, 0.4)
"""Seconds between the copies of an ICE check; STUN's own timer comes after 0.5, 1.5, 3.5 s and so on."""
HANDSHAKE = (0.025, 0.05, 0.1, 0.25)
"""Seconds between the copies of a datagram of DTLS or SCTP. OpenSSL's timer comes after 1 s and cannot be set."""
MAX_REPEATED = 64
"""Datagrams of one connection that are repeated, at most: three times what a connection without a loss takes."""


class Repeat:
    """Calls ``send`` again after each of ``intervals`` (seconds), until it is cancelled."""

    def __init__(self, send: Callable[[], None], intervals: Iterable[float]) -> None:
        self._send = send
        self._intervals = iter(intervals)
        self._handle: asyncio.TimerHandle | None = None
        self._wait()

    def _wait(self) -> None:
        interval = next(self._intervals, None)
        self._handle = None if interval is None else asyncio.get_running_loop().call_later(interval, self._again)

    def _again(self) -> None:
        self._send()
        self._wait()

    def wane(self) -> None:
        """Send the copy that is next, and no more."""
        self._intervals = iter(())

    def cancel(self) -> None:
        """Send no more."""
        if self._handle is not None:
            self._handle.cancel()


class HandshakeRepeats:
    """The copies of one connection's handshake."""

    def __init__(self) -> None:
        self._repeats: list[Repeat] = []
        self.connecting = True
        """Whether the connection is still being made."""

    def take(self, send: Callable[[], None]) -> None:
        """Repeat a datagram that has just been sent, as long as the connection is being made and `MAX_REPEATED` is not reached."""
        if self.connecting and len(self._repeats) < MAX_REPEATED:
            self._repeats.append(Repeat(send, HANDSHAKE))

    def settle(self) -> None:
        """The connection stands at this end. What was sent last the peer may still need, so each copy that is due next goes out."""
        self.connecting = False
        for repeat in self._repeats:
            repeat.wane()

    def cancel(self) -> None:
        """Send nothing more."""
        self.connecting = False
        for repeat in self._repeats:
            repeat.cancel()
