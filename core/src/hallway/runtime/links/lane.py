"""Where frames that are too large for one channel message go out: one at a time, in chunks, in turn with all that is small."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from hallway.protocol.batches import Maker
from hallway.protocol.chunks import CHUNK_BYTES, Cut
from hallway.protocol.parcels import GAP, PARCELS


class Waiting(NamedTuple):
    """A message that waits: its number, and its bytes as they go out, JSON text for a peer without frames."""

    maker: Maker
    number: int
    body: bytes


class Lane:
    """One channel's. Nothing goes this way until `open`: then the peer puts chunks together.

    Frames of the delivery layer keep their order: what comes behind a large one waits for it here, whatever its size. Messages do not:
    small ones overtake large ones.
    """

    def __init__(self) -> None:
        self.piece = 0
        """Bytes of one channel message; what has more goes in chunks. 0: the peer knows none."""
        self.messages: deque[Waiting] = deque()
        self._frames: deque[bytes] = deque()
        self._cut: Cut | None = None
        self._source: deque[Waiting] | deque[bytes] = self._frames
        """Where what is under way still stands, or what was under way last stood: it leaves with its last chunk."""
        self._went = False
        self._turn = asyncio.Lock()
        self._room = asyncio.Event()
        self._room.set()

    def open(self, max_message: int) -> None:
        """The peer puts chunks together; the channel takes that many bytes at once."""
        self.piece = min(CHUNK_BYTES, max_message)

    def keeps(self, frame: bytes) -> bool:
        """Take a frame of the delivery layer if it is large or must not overtake one that is; False: it goes as everything does."""
        if not self.piece or not (len(frame) > self.piece or (self._frames and frame[0] in (PARCELS, GAP))):
            return False
        self._frames.append(frame)
        return True

    async def room(self) -> None:
        """Wait until no large message waits here; who came first goes first."""
        async with self._turn:
            await self._room.wait()

    def take(self, message: Waiting) -> None:
        """Queue a large message."""
        self.messages.append(message)
        self._room.clear()

    def leave(self) -> list[Waiting]:
        """Forget all, and return the messages: one that is half sent is among them."""
        left = list(self.messages)
        self.messages.clear()
        self._frames.clear()
        self._cut = None
        self.end()
        return left

    def end(self) -> None:
        """The channel has ended: nobody waits for room any more."""
        self._room.set()

    def can_go(self, *, held: bool) -> bool:
        """Whether something may go out now or after what is small. ``held``: no message begins."""
        return bool(self._cut or self._frames or (self.messages and not held))

    def next(self, *, others: bool, clear: bool, held: bool) -> bytes | None:
        """What goes out next; None: nothing, or it is the turn of ``others``, which wait.

        ``clear``: no frame of the delivery layer waits elsewhere, which a large one must not overtake.
        """
        if others and self._went:
            self._went = False
            return None
        data = self._next(clear=clear, held=held)
        self._went = data is not None
        return data

    def _next(self, *, clear: bool, held: bool) -> bytes | None:
        if self._frames and clear and len(self._frames[0]) <= self.piece and (self._cut is None or self._source is self.messages):
            return self._frames.popleft()
        if self._cut is None:
            self._begin(clear=clear, held=held)
        return None if self._cut is None else self._chunk(self._cut)

    def _begin(self, *, clear: bool, held: bool) -> None:
        """Messages and frames of the delivery layer in turn."""
        frames, messages = self._frames and clear, self.messages and not held
        if messages and not (frames and self._source is self.messages):
            self._source = self.messages
            message = self.messages[0]
            self._cut = Cut(message.maker.unsqueezed(message.number, [message.body]), self.piece)
        elif frames:
            self._source = self._frames
            self._cut = Cut(self._frames[0], self.piece)

    def _chunk(self, cut: Cut) -> bytes:
        data = cut.next()
        if cut.is_done:
            self._cut = None
            self._source.popleft()
            if not self.messages:
                self._room.set()
        return data
