"""Messages share frames: how many small ones become one binary channel message, and how that is squeezed.

A batch is the type byte `MESSAGES` and a MessagePack array: the sender's prefix, the number of the first message, and the bodies
(`hallway.protocol.packed`) one after the other. Prefix and number are the id. Messages of one application resemble each other, so that a
batch is deflated (RFC 1951) to a fraction where that helps: `SQUEEZED`, then the bytes of the frame.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import ormsgpack

MESSAGES = 0x10
SQUEEZED = 0x1F
MAX_MESSAGES = 1024
"""Messages in one frame, at most: each costs far more than its bytes."""
OVERHEAD = 32
"""Bytes that a frame adds to one message, at most."""
MAX_UNSQUEEZED = 512 * 1024
"""Bytes that a squeezed frame may become: what deflates a thousandfold must not fill the memory."""
WORTH_SQUEEZING = 256
"""Bytes of a frame below which nothing is gained."""
GAIN = 0.8
"""To which part of its size a frame must shrink."""
MAX_SKIPPED = 64
"""Frames that are sent as they are after several that did not shrink, at most."""
RAW_DEFLATE = -15
LIMIT = 2**64


class Batch(NamedTuple):
    """What a frame of messages holds: message ``i`` has the id `message_id` of ``prefix`` and ``first + i``."""

    prefix: int
    first: int
    bodies: list[bytes]


def message_id(prefix: int, number: int) -> str:
    """The id of a message: 32 hexadecimal digits."""
    return f"{prefix:016x}{number:016x}"


def encode(prefix: int, first: int, bodies: Sequence[bytes]) -> bytes:
    """The bytes of a frame of messages whose numbers follow each other."""
    return bytes((MESSAGES,)) + ormsgpack.packb((prefix, first, bodies))


def read(data: bytes) -> Batch:
    """The batch that a frame holds.

    Raises:
        ValueError: it holds none.

    """
    content = ormsgpack.unpackb(data[1:])
    if not isinstance(content, list) or len(content) != 3:
        raise ValueError("expected prefix, number and bodies")
    prefix, first, bodies = content
    if not isinstance(bodies, list) or len(bodies) > MAX_MESSAGES or any(type(body) is not bytes for body in bodies):
        raise ValueError(f"expected at most {MAX_MESSAGES} bodies")
    if type(prefix) is not int or type(first) is not int or not 0 <= prefix < LIMIT or not 0 <= first < LIMIT - MAX_MESSAGES:
        raise ValueError("prefix and number are whole and not negative")
    return Batch(prefix, first, bodies)


def unsqueeze(data: bytes) -> bytes:
    """The frame in a squeezed one.

    Raises:
        ValueError: it is damaged, larger than `MAX_UNSQUEEZED`, or no frame of messages.

    """
    inflater = zlib.decompressobj(RAW_DEFLATE)
    try:
        frame = inflater.decompress(data[1:], MAX_UNSQUEEZED)
    except zlib.error as error:
        raise ValueError(f"not deflated: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise ValueError(f"it ends too early or too late, or has more than {MAX_UNSQUEEZED} bytes")
    if not frame or not MESSAGES <= frame[0] < SQUEEZED:
        raise ValueError("only frames of messages are squeezed")
    return frame


class Squeezer:
    """Squeezes the frames of one channel, as long as that gains something: pictures and the like do not shrink, and trying costs time."""

    def __init__(self) -> None:
        self._skip = 0
        self._skipped = 0

    def squeeze(self, frame: bytes) -> bytes:
        """The frame, smaller if it is worth it."""
        if not WORTH_SQUEEZING <= len(frame) <= MAX_UNSQUEEZED:
            return frame
        if self._skipped < self._skip:
            self._skipped += 1
            return frame
        squeezed = bytes((SQUEEZED,)) + zlib.compress(frame, 1, RAW_DEFLATE)
        gained = len(squeezed) < GAIN * len(frame)
        self._skip, self._skipped = 0 if gained else min(MAX_SKIPPED, 2 * self._skip + 1), 0
        return squeezed if gained else frame
