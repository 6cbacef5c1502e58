"""Datagrams that attackers send: what looks like that of a peer, and how to claim to be it."""

from __future__ import annotations

import os
import socket
import struct

Address = tuple[str, int]


def record(kind: int, epoch: int, body: bytes) -> bytes:
    """A DTLS record (RFC 6347)."""
    return bytes([kind]) + b"\xfe\xfd" + struct.pack("!HHIH", epoch, 0, 900, len(body)) + body


STUN_HEAD = b"\x21\x12\xa4\x42" + os.urandom(12)
JUNK = [
    record(22, 0, bytes(60)),
    record(23, 1, os.urandom(1000)),
    b"\x16\xfe\xfd" + os.urandom(1200),
    b"\x00\x01\x00\x00" + STUN_HEAD,
    b"\x01\x01\x00\x00" + STUN_HEAD,
    b"\x00\x01\x00\x08" + STUN_HEAD + os.urandom(8),
    b"\x80\x60" + os.urandom(1200),
    b"\x80\xc8" + os.urandom(60),
    os.urandom(300),
    b"\x00",
]
"""What looks like DTLS, STUN, SRTP and SRTCP by its first bytes (RFC 7983), and what looks like nothing."""


def forged(source: Address, target: Address, data: bytes) -> bytes:
    """An IPv4 packet (RFC 791) with a UDP datagram (RFC 768) whose checksum is left out; the kernel fills in the rest."""
    length = 8 + len(data)
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
    return head + struct.pack("!HHHH", source[1], target[1], length, 0) + data
