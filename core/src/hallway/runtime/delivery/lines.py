"""What an open link is to the delivery layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from hallway.errors import BadFrame
from hallway.protocol.parcels import Credit

MAX_POSITIONS = 64
Send = Callable[[bytes], None]


@attrs.frozen
class Line:
    """An open link, and what its peer has of our streams: by name, the incarnation and how far."""

    send: Send
    positions: dict[str, tuple[int, int]]
    credit: Credit
    max_frame: int
    """Bytes of one frame, at most."""


def read_line(section: Any, send: Send, max_frame: int) -> Line:
    """The line of a peer whose HELLO has this section.

    Raises:
        BadFrame: it is malformed.

    """
    try:
        messages, size = section["credit"]
        positions = {stream: (incarnation, upto) for stream, incarnation, upto in section["positions"][:MAX_POSITIONS]}
        numbers = [messages, size, *(number for pair in positions.values() for number in pair)]
        if any(type(number) is not int or not 0 <= number < 2**64 for number in numbers):
            raise ValueError("positions and credit are numbers")
    except (KeyError, TypeError, ValueError) as error:
        raise BadFrame(f"the delivery section of the peer's HELLO is malformed: {error}") from error
    return Line(send, positions, Credit(messages, size), max_frame)
