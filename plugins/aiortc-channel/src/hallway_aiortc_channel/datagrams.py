"""A filter of datagrams: what reaches ICE and DTLS through a socket that anyone on the site can send to.

Bare aioice hands every datagram that is not STUN to DTLS, whoever sent it, and keeps any number before the connection stands. Bare
aiortc dies of an empty one.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

from aioice import stun
from aioice.ice import StunProtocol

from hallway.network.backlog import waiting
from hallway_aiortc_channel.errors import PEER_MADE
from hallway_aiortc_channel.repeats import CHECKS, Repeat

if TYPE_CHECKING:
    from hallway_aiortc_channel.ice import PolicedConnection

logger = logging.getLogger(__name__)

MAX_DATAGRAM = 2048
"""Bytes in one datagram that DTLS may see: more than any Ethernet frame carries, and DTLS makes none larger."""
UNLOOKED = 7
"""Datagrams that are taken as they come after nothing has waited behind one: a look takes as long as half a datagram."""
REQUEST = b"\x00\x01"
"""How a STUN Binding request begins (RFC 8489 section 5)."""
TRANSACTION = slice(8, 20)
"""Where its transaction id is."""


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN by its first byte (RFC 7983 section 7)."""
    return data[0] < 4


def is_dtls(data: bytes) -> bool:
    """Whether a datagram is DTLS by its first byte (RFC 7983 section 7)."""
    return bool(data) and 19 < data[0] < 64


class FilteredProtocol(StunProtocol):
    """A local candidate's socket that passes on only what can belong to its session.

    * Nothing comes in from where the session may not send to either.
    * STUN is authenticated by aioice; a request of the peer makes its source known (a peer-reflexive candidate). What neither names this
      session nor answers a request of it is not even read, and gets no answer: whoever floods us would have us flood others.
    * DTLS passes from known remote candidates only.
    """

    def __init__(self, receiver: PolicedConnection) -> None:
        super().__init__(receiver)
        self._connection = receiver
        self._under_way: dict[tuple[str, int], stun.Message] = {}
        self._name = f"{receiver.local_username}:".encode()
        self._socket: socket.socket | None = None
        self._unlooked = 0
        """Datagrams after which it is looked again whether more wait."""

    def read_on(self, sock: socket.socket) -> None:
        """Read with each datagram those that wait behind it, from the transport's own socket."""
        self._socket = sock

    async def request(
        self, request: stun.Message, addr: tuple[str, int], integrity_key: bytes | None = None, retransmissions: int | None = None
    ) -> tuple[stun.Message, tuple[str, int]]:
        """Execute a STUN transaction. An ICE check is repeated ahead of STUN's timer, and by `repeat` when that may help."""
        self._under_way[addr] = request
        # One to a server has no key.
        is_check = integrity_key is not None
        repeating = Repeat(lambda: self.send_stun(request, addr), CHECKS if is_check else ())
        try:
            return await super().request(request, addr, integrity_key, retransmissions)
        finally:
            repeating.cancel()
            if self._under_way.get(addr) is request:
                del self._under_way[addr]

    def repeat(self, addr: tuple[str, int]) -> None:
        """Send the request to ``addr`` that waits for its response once more, ahead of STUN's timer, and only once."""
        request = self._under_way.pop(addr, None)
        if request is not None:
            self.send_stun(request, addr)

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Take one datagram, and those that wait behind it."""
        self.take(data, addr)  # type: ignore[arg-type]  # never text, whatever aioice says
        if self._socket is not None:
            if not self._unlooked:
                self._take_waiting(self._socket)
            else:
                self._unlooked -= 1

    def _take_waiting(self, sock: socket.socket) -> None:
        self._unlooked = UNLOOKED
        for data, sender in waiting(sock, MAX_DATAGRAM + 1):
            self._unlooked = 0
            if self.transport.is_closing():
                return
            self.take(data, sender)

    def take(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Take one datagram, or drop it."""
        if not data or not self._connection.admits(addr[0]):
            return
        if is_stun(data):
            if self._concerns(data):
                self._stun_received(data, addr)
        elif is_dtls(data) and self._connection.is_known((addr[0], addr[1])):
            self._connection.dtls_received(data)

    def _concerns(self, data: bytes) -> bool:
        """Whether a STUN message asks for this session, or may answer what it has asked."""
        return self._name in data if data[:2] == REQUEST else data[TRANSACTION] in self.transactions

    def _stun_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        try:
            super().datagram_received(data, addr)
        except PEER_MADE as error:
            logger.debug("dropped a malformed STUN message from %s: %r", addr[0], error)
