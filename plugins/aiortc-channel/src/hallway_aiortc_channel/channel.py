"""The channel: messages over one data channel of one session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

from aiortc import RTCDataChannel

from hallway.errors import BusyError, ClosedError, DeadlineExceeded
from hallway.interfaces import Channel, Taker
from hallway.model import Binding, Candidate, Path
from hallway.webrtc.arrivals import MAX_WAITING, Arrivals
from hallway.webrtc.candidates import CandidateFilter
from hallway.webrtc.endings import End, EndedBy
from hallway.webrtc.flow import Flow
from hallway.webrtc.sdp import RemoteDescription, Setup
from hallway.webrtc.sizes import checked_size
from hallway_aiortc_channel.session import Session

logger = logging.getLogger(__name__)

KIND = "webrtc"
MAX_EXTRA_CHANNELS = 8
"""Data channels that a peer may open beyond the one, and that are closed, before it has broken the protocol."""
CLOSE_TIME = 1.0
"""Seconds that `aclose` delivers without another deadline."""
READING = 0.1
"""Seconds after a message was taken for which the reader is awaited; one that takes longer is no reason to leave acknowledgements lying."""


class AiortcChannel(Channel):
    """See `hallway.interfaces.Channel`. Made by a connector only."""

    kind = KIND

    def __init__(self, session: Session, remote: RemoteDescription, candidates: CandidateFilter) -> None:
        self.max_message = remote.max_message
        self._session = session
        self._filter = candidates
        self._loop = asyncio.get_running_loop()
        self._data_channel: RTCDataChannel | None = None
        self._extra = 0
        self._arrivals = Arrivals()
        self._flow = Flow()
        self._end: End | None = None
        self._closing = False
        self._is_open = False
        self._opened = asyncio.Event()
        self._receiver: asyncio.Future[None] | None = None
        self._first_taker: Taker | None = None
        self._read_at = -inf
        self._read_up = asyncio.Event()
        self._turn = asyncio.Lock()
        self._in_line = 0
        """Senders that wait, or have the turn: it is free for a moment between two of them, and nobody else may take it then."""
        self._progress = asyncio.Event()

    def begin(self, remote: RemoteDescription, setup: Setup) -> None:
        """Start to connect, as the end that has both descriptions now."""
        self._session.start(remote, setup, self)
        if self._session.offerer:
            self._adopt(self._session.open_channel())

    async def opened(self, deadline: float) -> None:
        """See `Channel.opened`."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._opened.wait()
        except TimeoutError as error:
            raise DeadlineExceeded("the channel did not open in time") from error
        if not self._is_open or self._end is not None:
            self._check_alive()

    async def send(self, message: str | bytes) -> None:
        """See `Channel.send`."""
        checked_size(message, self.max_message)
        if self._in_line or not self._is_open or self._is_crowded():
            async with self._in_turn():
                await self._opened.wait()
                await self._room()
                self._hand_over(message)
                await self._room()
            return
        self._hand_over(message)
        if self._is_crowded():
            async with self._in_turn():
                await self._room()

    async def receive(self) -> str | bytes:
        """See `Channel.receive`."""
        if self._receiver is not None:
            raise BusyError("another task is receiving from this channel")
        while True:
            if self._closing:
                raise ClosedError("the channel was closed at this end")
            if self._arrivals.messages:
                return self._take()
            self._check_alive()
            await self._arrival()

    def hand_first_to(self, taker: Taker) -> None:
        """See `Channel.hand_first_to`."""
        self._first_taker = taker

    def _take(self) -> str | bytes:
        message = self._arrivals.pop()
        self._read_at = self._loop.time()
        if not self._arrivals.crowded:
            self._read_up.set()
        return message

    async def add_candidate(self, candidate: Candidate) -> None:
        """See `Channel.add_candidate`."""
        if self._end is not None or self._closing:
            return
        if not candidate.candidate.strip():
            self._session.add_candidates([], complete=True)
        elif taken := self._filter.take_late(candidate.candidate):
            self._session.add_candidates([taken], complete=False)

    @property
    def buffered(self) -> int:
        """See `Channel.buffered`."""
        queued = self._data_channel.bufferedAmount if self._data_channel is not None else 0
        return queued + self._session.sctp.outstanding

    @property
    def acknowledged_bytes(self) -> int | None:
        """See `Channel.acknowledged_bytes`: what the peer's SCTP has, read or not."""
        return self._session.sctp.acknowledged_bytes

    @property
    def path(self) -> Path | None:
        """See `Channel.path`: that of the selected pair of ICE, which may change."""
        return self._session.path if self._is_open else None

    @property
    def binding(self) -> Binding | None:
        """See `Channel.binding`."""
        return self._session.binding

    async def aclose(self, deadline: float | None = None) -> None:
        """See `Channel.aclose`."""
        first, self._closing = not self._closing, True
        self._wake()
        try:
            if first and self._is_open:
                await self._drain(deadline if deadline is not None else self._loop.time() + CLOSE_TIME)
        finally:
            await self._session.release()

    # What the session tells us.

    def channel_found(self, data_channel: RTCDataChannel) -> None:
        """Implements `SessionListener`: the first reliable channel is ours, others are closed."""
        reliable = data_channel.ordered and data_channel.maxRetransmits is None and data_channel.maxPacketLifeTime is None
        if self._data_channel is None and reliable:
            self._adopt(data_channel)
            return
        data_channel.close()
        self._extra += 1
        if self._extra > MAX_EXTRA_CHANNELS:
            self._session.finish(End(EndedBy.VIOLATION, f"it opened more than {MAX_EXTRA_CHANNELS} data channels that nobody asked for"))

    def has_room(self) -> bool:
        """Implements `SessionListener`."""
        return not self._arrivals.crowded or self._loop.time() - self._read_at >= READING or self._closing or self._end is not None

    async def read_up(self) -> None:
        """Implements `SessionListener`. What comes in faster than it is read would fill memory, and the link would be lost for it."""
        while not self.has_room():
            self._read_up.clear()
            try:
                async with asyncio.timeout(READING):
                    await self._read_up.wait()
            except TimeoutError:
                continue

    def acknowledged(self, size: int) -> None:
        """Implements `SessionListener`."""
        self._flow.acked(size, self._loop.time(), idle=self.buffered == 0)
        self._progress.set()

    def ended(self, end: End) -> None:
        """Implements `SessionListener`."""
        self._end = end
        self._wake()

    # Inside.

    def _adopt(self, data_channel: RTCDataChannel) -> None:
        # Handlers first: aiortc keeps no message for a handler that comes later.
        self._data_channel = data_channel
        self._session.sctp.hand_to(data_channel, self._arrived)
        data_channel.on("open", self._channel_open)
        data_channel.on("close", self._channel_closed)
        if data_channel.readyState == "open":
            self._channel_open()

    def _channel_open(self) -> None:
        self._is_open = True
        self._opened.set()
        self._session.channel_is_open()

    def _channel_closed(self) -> None:
        self._session.finish(End(EndedBy.PEER))

    def _arrived(self, message: str | bytes) -> None:
        if self._closing or self._end is not None:
            return
        if self._is_taken(message):
            return
        if not self._arrivals.put(message):
            self._session.finish(End(EndedBy.VIOLATION, f"it sent more than {MAX_WAITING} bytes that nobody read"))
        self._wake_receiver()

    def _check_alive(self) -> None:
        if self._closing:
            raise ClosedError("the channel was closed at this end")
        if self._end is not None:
            raise self._end.error()

    def _hand_over(self, message: str | bytes) -> None:
        self._check_alive()
        assert self._data_channel is not None
        if self._data_channel.readyState != "open":
            raise End(EndedBy.PEER).error()
        self._flow.started(self._loop.time())
        self._session.sctp.send_now(self._data_channel, message)

    def _is_crowded(self) -> bool:
        return self.buffered > self._flow.high_water

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        self._in_line += 1
        try:
            async with self._turn:
                yield
        finally:
            self._in_line -= 1

    async def _room(self) -> None:
        self._check_alive()
        while self._is_crowded():
            await self._next_progress()
            self._check_alive()

    async def _next_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    async def _drain(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                while self._end is None and not self._session.sctp.is_drained:
                    await self._next_progress()
        except TimeoutError:
            return

    async def _arrival(self) -> None:
        self._receiver = self._loop.create_future()
        try:
            await self._receiver
        finally:
            self._receiver = None

    def _is_taken(self, message: str | bytes) -> bool:
        """Whether the taker has it; it is asked while a task waits in `receive`, which no message has woken yet."""
        if self._first_taker is None or self._receiver is None or self._receiver.done():
            return False
        try:
            return self._first_taker(message)
        except Exception as error:
            # The library would take it for a fault of what the peer has sent, or go on without the message.
            logger.exception("what takes messages failed")
            self._session.finish(End(EndedBy.ERROR, f"what takes its messages failed: {type(error).__name__}"))
            return True

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _wake(self) -> None:
        self._opened.set()
        self._read_up.set()
        self._progress.set()
        self._wake_receiver()
