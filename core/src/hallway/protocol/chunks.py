"""A frame that is too large for one channel message goes in chunks: how it is cut, and how the other end puts it together. Pure.

A chunk is the type byte `CHUNK`, where in the frame its piece begins and how many bytes the frame has (32 bits each, big-endian), and the
piece. One frame at a time is under way in each direction; all else may pass between its chunks.
"""

from __future__ import annotations

import struct
from math import inf
from typing import NamedTuple

from hallway.errors import BadFrame

CHUNK = 0x15
CHUNK_BYTES = 16 * 1024
"""Bytes of a chunk, at most. A frame that has no more goes as it is."""
MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message (`hallway.protocol.packed`), at most."""
MAX_FRAME = MAX_MESSAGE + 1024
"""Bytes of a frame that is put together, at most: a message and the head of its frame."""
LATENESS = 1.0
"""Seconds that a tick may be late."""
HEAD = struct.Struct(">BII")


class Chunk(NamedTuple):
    """One piece of a frame of ``total`` bytes; ``offset`` counts from the frame's beginning."""

    offset: int
    total: int
    piece: bytes


def encode(chunk: Chunk) -> bytes:
    """The bytes of a chunk."""
    return HEAD.pack(CHUNK, chunk.offset, chunk.total) + chunk.piece


def read(data: bytes) -> Chunk:
    """The chunk of these bytes.

    Raises:
        ValueError: they are none.

    """
    if len(data) <= HEAD.size:
        raise ValueError("a chunk has a head, and a piece that is not empty")
    _, offset, total = HEAD.unpack_from(data)
    return Chunk(offset, total, data[HEAD.size :])


class Cut:
    """One frame on its way out in channel messages of ``size`` bytes at most."""

    def __init__(self, frame: bytes, size: int) -> None:
        self._frame = frame
        self._step = size - HEAD.size
        self._offset = 0

    @property
    def is_done(self) -> bool:
        """Whether all of it has gone."""
        return self._offset >= len(self._frame)

    def next(self) -> bytes:
        """The bytes of the next chunk."""
        start, self._offset = self._offset, self._offset + self._step
        return encode(Chunk(start, len(self._frame), self._frame[start : self._offset]))


class Assembly:
    """Puts together what comes in over one channel. Its memory grows with what has come, not with what the peer announces.

    ``patience``: seconds for which the next chunk of a frame may be awaited.
    """

    def __init__(self, patience: float = inf) -> None:
        self.deadline = inf
        """When `tick` wants to be called: the rest of the frame under way is overdue then."""
        self._patience = patience
        self._frame = bytearray()
        self._total = 0

    def put(self, chunk: Chunk, now: float = 0.0) -> bytes | None:
        """Take the next chunk; the frame, if this was its last.

        Raises:
            BadFrame: it does not follow the one before.

        """
        if not self._frame:
            self._begin(chunk)
        elif chunk.offset == 0:
            raise BadFrame("the peer begins a large frame while another one is under way")
        elif chunk.total != self._total:
            raise BadFrame(f"the peer sends a chunk of a frame of {chunk.total} bytes within one of {self._total}")
        if chunk.offset != len(self._frame):
            raise BadFrame(f"the peer sends a chunk for byte {chunk.offset} where {len(self._frame)} is next")
        if chunk.offset + len(chunk.piece) > self._total:
            raise BadFrame(f"the peer sends more than the {self._total} bytes of a frame")
        self._frame += chunk.piece
        self.deadline = now + self._patience
        return self._end() if len(self._frame) == self._total else None

    def excuse(self, now: float) -> None:
        """What has come was not read until now: the peer's silence proved nothing."""
        if self._frame:
            self.deadline = now + self._patience

    def tick(self, now: float) -> None:
        """Time has passed; call it at `deadline`. A tick that is late by more than `LATENESS` says that we slept, and excuses the peer.

        Raises:
            BadFrame: the peer began a frame and sends nothing more of it.

        """
        if now >= self.deadline + LATENESS:
            self.excuse(now)
        elif now >= self.deadline:
            left = self._total - len(self._frame)
            raise BadFrame(f"the peer began a frame of {self._total} bytes and has sent none of the last {left} for {self._patience:g} s")

    def _begin(self, chunk: Chunk) -> None:
        if chunk.offset:
            raise BadFrame(f"the peer sends a chunk for byte {chunk.offset} of a frame that it has not begun")
        if chunk.total > MAX_FRAME:
            raise BadFrame(f"the peer begins a frame of {chunk.total} bytes; {MAX_FRAME} are allowed")
        self._total = chunk.total

    def _end(self) -> bytes:
        frame, self._frame = bytes(self._frame), bytearray()
        self.deadline = inf
        return frame
