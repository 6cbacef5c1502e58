"""How what goes wrong in aiortc and aioice becomes hallway's errors."""

from __future__ import annotations

import struct

PEER_MADE = (AssertionError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, struct.error)
"""What aiortc and aioice raise on bytes that they did not expect: their parsers trust the peer."""


class ProtocolViolation(Exception):
    """The peer sent what it must not; ends its own channel and nothing else. The text is a clause."""
