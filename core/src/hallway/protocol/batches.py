"""Messages share frames: how many small ones become one binary channel message, and how that is squeezed.

A batch is the type byte `MESSAGES` and a MessagePack array: the sender's prefix, the number of the first message, and the bodies
(`hallway.protocol.packed`) one after the other. Prefix and number are the id. Messages of one application resemble each other, so that a
batch is compressed (Zstandard, RFC 8878) to a fraction where that helps: `SQUEEZED`, then the bytes of the frame.

A message that is alone need not be a batch: `LONE`, prefix and number with 8 bytes each, then the body. To make and to read that takes half
the time, and who sends one message waits for the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import ormsgpack
import zstandard

MESSAGES = 0x10
LONE = 0x16
SQUEEZED = 0x1F
LONE_HEAD = bytes((LONE,))
LONE_BODY = 17
"""Where the body of a lone message begins."""
MAX_MESSAGES = 1024
"""Messages in one frame, at most: each costs far more than its bytes."""
OVERHEAD = 32
"""Bytes that a frame adds to one message, at most."""
MAX_UNSQUEEZED = 512 * 1024
"""Bytes that a squeezed frame may become: what shrinks to a thousandth must not fill the memory."""
WORTH_SQUEEZING = 256
"""Bytes of a frame below which nothing is gained."""
GAIN = 0.8
"""To which part of its size a frame must shrink."""
MAX_SKIPPED = 64
"""Frames that are sent as they are after several that did not shrink, at most."""
LEVEL = 1
LIMIT = 2**64
_BYTES = frozenset((bytes,))


def message_ids(prefix: int, first: int, count: int) -> list[str]:
    """The ids of messages whose numbers follow each other: 32 hexadecimal digits."""
    start = _start(prefix)
    return [f"{start}{number:016x}" for number in range(first, first + count)]


@lru_cache(64)
def _start(prefix: int) -> str:
    return f"{prefix:016x}"


def encode(prefix: int, first: int, bodies: Sequence[bytes]) -> bytes:
    """The bytes of a frame of messages whose numbers follow each other."""
    return bytes((MESSAGES,)) + ormsgpack.packb((prefix, first, bodies))


def read(data: bytes) -> tuple[int, int, list[bytes]]:
    """The batch that a frame holds: prefix, number of the first message, bodies. Message ``i`` has that of `message_ids`.

    Raises:
        ValueError: it holds none.

    """
    content = ormsgpack.unpackb(data[1:])
    if not isinstance(content, list) or len(content) != 3:
        raise ValueError("expected prefix, number and bodies")
    prefix, first, bodies = content
    if not isinstance(bodies, list) or len(bodies) > MAX_MESSAGES or not _BYTES.issuperset(map(type, bodies)):
        raise ValueError(f"expected at most {MAX_MESSAGES} bodies")
    if type(prefix) is not int or type(first) is not int or not 0 <= prefix < LIMIT or not 0 <= first < LIMIT - MAX_MESSAGES:
        raise ValueError("prefix and number are whole and not negative")
    return prefix, first, bodies


def unsqueeze(data: bytes) -> bytes:
    """The frame in a squeezed one.

    Raises:
        ValueError: it is damaged, larger than `MAX_UNSQUEEZED`, or no frame of messages.

    """
    try:
        size = zstandard.frame_content_size(data[1:])
        if not 0 < size <= MAX_UNSQUEEZED:
            raise ValueError(f"it tells no size, or one of more than {MAX_UNSQUEEZED} bytes")
        frame = _DECOMPRESSOR.decompress(data[1:], allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"not Zstandard: {error}") from error
    if not frame or not MESSAGES <= frame[0] < SQUEEZED:
        raise ValueError("only frames of messages are squeezed")
    return frame


COMPRESSOR = zstandard.ZstdCompressor(level=LEVEL)
_DECOMPRESSOR = zstandard.ZstdDecompressor(max_window_size=MAX_UNSQUEEZED)


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
        squeezed = bytes((SQUEEZED,)) + COMPRESSOR.compress(frame)
        gained = len(squeezed) < GAIN * len(frame)
        self._skip, self._skipped = 0 if gained else min(MAX_SKIPPED, 2 * self._skip + 1), 0
        return squeezed if gained else frame


class Maker:
    """Numbers messages under one prefix, and makes the frames of those whose numbers follow each other.

    One that is shared by many channels keeps the last ``kept`` frames: what goes to all of them is made once.
    """

    def __init__(self, prefix: int, kept: int = 0) -> None:
        self._prefix = prefix
        self._start = f"{prefix:016x}"
        self._alone = LONE_HEAD + prefix.to_bytes(8, "big")
        self._count = 0
        self._squeezer = Squeezer()
        self._kept = kept
        self._made: dict[tuple[int, int], bytes] = {}

    def number(self) -> int:
        """The number of the next message."""
        self._count += 1
        return self._count

    def id(self, number: int) -> str:
        """The id of the message of that number."""
        return f"{self._start}{number:016x}"

    def alone(self, body: bytes) -> tuple[str, bytes]:
        """The id of the next message, and its frame for a peer that reads lone ones; one that may be worth squeezing is a batch."""
        self._count = number = self._count + 1
        frame = self._alone + number.to_bytes(8, "big") + body if len(body) < WORTH_SQUEEZING else self.frame(number, (body,))
        return f"{self._start}{number:016x}", frame

    def unsqueezed(self, first: int, bodies: Sequence[bytes]) -> bytes:
        """The frame of these messages as it is."""
        return encode(self._prefix, first, bodies)

    def frame(self, first: int, bodies: Sequence[bytes]) -> bytes:
        """The frame of these messages, squeezed where that helps."""
        if not self._kept:
            return self._squeezer.squeeze(encode(self._prefix, first, bodies))
        key = first, len(bodies)
        if key not in self._made:
            if len(self._made) == self._kept:
                del self._made[next(iter(self._made))]
            self._made[key] = self._squeezer.squeeze(encode(self._prefix, first, bodies))
        return self._made[key]
