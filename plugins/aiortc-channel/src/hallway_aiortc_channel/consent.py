"""Consent to send (RFC 7675): the peer says again and again that it wants what we send.

aioice gives each answer half a second. On a path that bulk data fills, or over a satellite, none comes as soon as that, and after 30 s
the connection would be given up, however much passes over it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import cast

from aioice import stun
from aioice.ice import StunProtocol

PAUSE = (4.0, 6.0)
"""Seconds between two questions, at random (RFC 7675 section 5.1)."""
LIFE = 30.0
"""Seconds for which an answer counts."""
MAX_OPEN = 8
"""Questions that may still be answered: those of the last `LIFE` seconds. Each is asked once, as the RFC has it."""


class Consents:
    """Those that one connection asks for. ``now`` is the time in seconds; a connection that begins has consent."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._given_at = now()
        self._open: deque[tuple[StunProtocol, bytes]] = deque()

    @property
    def left(self) -> float:
        """Seconds for which the last answer still counts."""
        return self._given_at + LIFE - self._now()

    def ask(self, protocol: StunProtocol, request: stun.Message, addr: tuple[str, int], key: bytes) -> None:
        """Send the question ``request`` to ``addr``; its answer is signed with ``key``, and counts however late it is."""
        request.add_message_integrity(key)
        protocol.transactions[request.transaction_id] = cast("stun.Transaction", _Question(key, self._given))
        self._open.append((protocol, request.transaction_id))
        if len(self._open) > MAX_OPEN:
            before, oldest = self._open.popleft()
            before.transactions.pop(oldest, None)
        protocol.send_stun(request, addr)

    def _given(self) -> None:
        self._given_at = self._now()


class _Question:
    """What a protocol of aioice calls with the response to a request."""

    def __init__(self, key: bytes, given: Callable[[], None]) -> None:
        self._key = key
        self._given = given

    def response_received(self, message: stun.Message, addr: tuple[str, int]) -> None:
        """Take the answer, if it is one and the peer's."""
        if message.message_class is stun.Class.RESPONSE and message.check_message_integrity(self._key):
            self._given()
