"""A look at DTLS records before OpenSSL sees them (RFC 6347 section 4.1). Pure.

Until both ends have keys anybody who can forge the peer's address can say anything, and OpenSSL ends the handshake at the first record
that does not fit: an alert, an unknown type, a broken message. What no honest peer sends, and what need not be believed, is left out
here. Records with keys (epoch 1 and above) pass: those that are forged OpenSSL drops by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from

import attrs

HEADER = 13
MESSAGE_HEADER = 12
VERSIONS = (b"\xfe\xfd", b"\xfe\xff")
"""DTLS 1.2, and 1.0, which a first ClientHello names."""
CHANGE_CIPHER_SPEC, HANDSHAKE = 20, 22
MAX_MESSAGE = 64 * 1024
"""Bytes in one handshake message, far above any certificate."""

CLIENT_HELLO, HELLO_VERIFY_REQUEST, SERVER_HELLO, SERVER_HELLO_DONE, CLIENT_KEY_EXCHANGE = 1, 3, 2, 14, 16
TO_SERVER = frozenset({CLIENT_HELLO, 11, 15, CLIENT_KEY_EXCHANGE})
"""Handshake messages without keys (RFC 5246 section 7.4): ClientHello, Certificate, CertificateVerify, ClientKeyExchange."""
TO_CLIENT = frozenset({HELLO_VERIFY_REQUEST, SERVER_HELLO, 4, 11, 12, 13, SERVER_HELLO_DONE, 22})
"""HelloVerifyRequest, ServerHello, NewSessionTicket, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone, its status."""


def _split(data: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Type, epoch, body and all of each record; what is cut off or of another protocol ends it."""
    at = 0
    while at + HEADER <= len(data) and data[at + 1 : at + 3] in VERSIONS:
        end = at + HEADER + unpack_from("!H", data, at + 11)[0]
        if end > len(data):
            return
        yield data[at], unpack_from("!H", data, at + 3)[0], data[at + HEADER : end], data[at:end]
        at = end


def _messages(body: bytes) -> Iterator[int | None]:
    """The types of the handshake messages in a record; None for one that is broken."""
    at = 0
    while at < len(body):
        if at + MESSAGE_HEADER > len(body):
            yield None
            return
        total, offset, size = (int.from_bytes(body[at + start : at + start + 3]) for start in (1, 6, 9))
        end = at + MESSAGE_HEADER + size
        yield body[at] if end <= len(body) and offset + size <= total <= MAX_MESSAGE else None
        at = end


@attrs.define
class RecordFilter:
    """What may go to one end's DTLS. ``client`` is that end's role, None before it is known; ``keyed`` says that the handshake is over."""

    client: bool | None = None
    keyed: bool = False
    _seen: set[int] = attrs.field(factory=set)

    def take(self, data: bytes) -> bytes:
        """The records of a datagram that pass."""
        if self.keyed:
            return data
        return b"".join(record for kind, epoch, body, record in _split(data) if epoch > 0 or self._passes(kind, body))

    def _passes(self, kind: int, body: bytes) -> bool:
        if kind == CHANGE_CIPHER_SPEC:
            # OpenSSL takes it at any time, and then waits for keys that are not made yet.
            return body == b"\x01" and not self._seen.isdisjoint({CLIENT_KEY_EXCHANGE, SERVER_HELLO_DONE})
        if kind != HANDSHAKE:
            return False
        types = set(_messages(body))
        if not types or not types <= self._allowed():
            return False
        self._seen |= {kind for kind in types if kind is not None}
        return True

    def _allowed(self) -> frozenset[int]:
        match self.client:
            case None:
                return TO_CLIENT | TO_SERVER
            case True:
                return TO_CLIENT
        return TO_SERVER
