"""A look at an SCTP packet before aiortc parses it (RFC 9260 section 3). Pure.

aiortc's parser loops for ever on a parameter of length zero, so lengths are checked here first.
"""

from __future__ import annotations

from struct import unpack_from

from hallway_aiortc_channel.errors import ProtocolViolation

COMMON_HEADER = 12
CHUNK_HEADER = 4
INIT_FIXED = 16
"""Bytes of INIT and INIT ACK before their parameters."""

DATA = 0
PARAMETERS_AT = {1: INIT_FIXED, 2: INIT_FIXED, 4: 0, 5: 0, 6: 0, 9: 0, 130: 0}
"""Chunk type to the offset of its parameters: INIT, INIT ACK, HEARTBEAT and its ACK, ABORT, ERROR, RE-CONFIG."""


def check_parameters(packet: bytes, start: int, end: int) -> None:
    """Check the type-length-value list in ``packet[start:end]``.

    Raises:
        ProtocolViolation: an entry is shorter than its own header.

    """
    while start <= end - CHUNK_HEADER:
        (length,) = unpack_from("!H", packet, start + 2)
        if length < CHUNK_HEADER:
            raise ProtocolViolation("an SCTP parameter has an impossible length")
        start += (length + 3) & ~3


def check_packet(packet: bytes) -> bool:
    """Check the lengths in one SCTP packet, and return whether there is data in it.

    One that ends early is left to the parser, which drops it.

    Raises:
        ProtocolViolation: parsing it would not end.

    """
    at = COMMON_HEADER
    bears_data = False
    while at <= len(packet) - CHUNK_HEADER:
        kind, length = packet[at], unpack_from("!H", packet, at + 2)[0]
        if length < CHUNK_HEADER:
            break
        bears_data = bears_data or kind == DATA
        if kind in PARAMETERS_AT:
            check_parameters(packet, at + CHUNK_HEADER + PARAMETERS_AT[kind], min(at + length, len(packet)))
        at += (length + 3) & ~3
    return bears_data
