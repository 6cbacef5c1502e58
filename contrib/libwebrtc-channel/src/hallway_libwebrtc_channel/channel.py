"""The channel: messages over one data channel of one session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from webrtc import Event, InvalidStateError, MessageEvent, OperationError, RTCDataChannel

from hallway.errors import BusyError, ClosedError, DeadlineExceeded
from hallway.interfaces import Channel, Taker
from hallway.model import Binding, Candidate, Path
from hallway.webrtc.arrivals import MAX_WAITING, Arrivals, size_of
from hallway.webrtc.candidates import CandidateFilter
from hallway.webrtc.endings import End, EndedBy
from hallway.webrtc.flow import Flow
from hallway.webrtc.sdp import LOCAL_MAX_MESSAGE, RemoteDescription
from hallway.webrtc.sizes import checked_size
from hallway_libwebrtc_channel.session import Session

logger = logging.getLogger(__name__)

KIND = "webrtc"
MAX_EXTRA_CHANNELS = 8
"""Data channels that a peer may open beyond the one, and that are closed, before it has broken the protocol."""
CLOSE_TIME = 1.0
"""Seconds that `aclose` delivers without another deadline."""


class LibwebrtcChannel(Channel):
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
        self._hears_progress = False
        self._handed = 0
        self._gone = 0
        self._end: End | None = None
        self._closing = False
        self._is_open = False
        self._opened = asyncio.Event()
        self._reset = asyncio.Event()
        self._receiver: asyncio.Future[None] | None = None
        self._first_taker: Taker | None = None
        self._turn = asyncio.Lock()
        self._in_line = 0
        """Senders that wait, or have the turn: it is free for a moment between two of them, and nobody else may take it then."""
        self._progress = asyncio.Event()

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
        size = checked_size(message, self.max_message)
        if self._in_line or not self._is_open or self._may_be_crowded():
            async with self._in_turn():
                await self._opened.wait()
                await self._room()
                self._hand_over(message, size)
                await self._room()
            return
        self._hand_over(message, size)
        if self._may_be_crowded():
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
                return self._arrivals.pop()
            self._check_alive()
            await self._arrival()

    def hand_first_to(self, taker: Taker) -> None:
        """See `Channel.hand_first_to`."""
        self._first_taker = taker

    async def add_candidate(self, candidate: Candidate) -> None:
        """See `Channel.add_candidate`. libwebrtc does not need to know when no more come."""
        if self._end is None and not self._closing and candidate.candidate.strip():
            taken = self._filter.take_late(candidate.candidate)
            if taken is not None:
                self._session.add_candidate(taken)

    @property
    def buffered(self) -> int:
        """See `Channel.buffered`: what libwebrtc has not sent for the first time. It does not tell what is acknowledged."""
        return self._data_channel.buffered_amount if self._data_channel is not None else 0

    @property
    def path(self) -> Path | None:
        """See `Channel.path`: that of the selected pair of ICE, which may change."""
        return self._session.path if self._is_open else None

    @property
    def binding(self) -> Binding | None:
        """See `Channel.binding`."""
        return self._session.binding if self._is_open else None

    async def aclose(self, deadline: float | None = None) -> None:
        """See `Channel.aclose`."""
        first, self._closing = not self._closing, True
        self._wake()
        try:
            if first and self._is_open and self._end is None:
                await self._finish_sending(deadline if deadline is not None else self._loop.time() + CLOSE_TIME)
        finally:
            self._data_channel = None
            await self._session.release()

    # What the session tells us.

    def channel_found(self, data_channel: RTCDataChannel) -> None:
        """Implements `SessionListener`: the first reliable channel is ours, others are closed."""
        reliable = data_channel.ordered and data_channel.max_retransmits is None and data_channel.max_packet_life_time is None
        if self._data_channel is None and reliable:
            self._adopt(data_channel)
            return
        data_channel.close()
        self._extra += 1
        if self._extra > MAX_EXTRA_CHANNELS:
            self._violated(f"it opened more than {MAX_EXTRA_CHANNELS} data channels that nobody asked for")

    def ended(self, end: End) -> None:
        """Implements `SessionListener`."""
        self._end = end
        self._data_channel = None
        self._wake()

    # Inside.

    def _adopt(self, data_channel: RTCDataChannel) -> None:
        self._data_channel = data_channel
        data_channel.on("message", self._arrived)
        data_channel.on("open", self._channel_open)
        data_channel.on("close", self._channel_closed)

    def _channel_open(self, event: Event) -> None:
        self._session.channel_is_open()
        if self._end is None:
            self._is_open = True
        self._opened.set()

    def _channel_closed(self, event: Event) -> None:
        self._reset.set()
        self._session.finish(End(EndedBy.PEER))

    def _arrived(self, event: MessageEvent) -> None:
        message = event.data
        if self._closing or self._end is not None or not isinstance(message, str | bytes):
            return
        if size_of(message) > LOCAL_MAX_MESSAGE:
            self._violated(f"it sent a message of more than {LOCAL_MAX_MESSAGE} bytes")
        elif self._is_taken(message):
            return
        elif not self._arrivals.put(message):
            self._violated(f"it sent more than {MAX_WAITING} bytes that nobody read")
        self._wake_receiver()

    def _violated(self, problem: str) -> None:
        self._session.finish(End(EndedBy.VIOLATION, problem))

    def _check_alive(self) -> None:
        if self._closing:
            raise ClosedError("the channel was closed at this end")
        if self._end is not None:
            raise self._end.error()

    def _hand_over(self, message: str | bytes, size: int) -> None:
        self._check_alive()
        assert self._data_channel is not None  # it goes with the end, which was looked for just now
        try:
            self._data_channel.send(message)
        except (InvalidStateError, OperationError) as error:
            raise (self._end or End(EndedBy.PEER)).error() from error
        self._handed += size

    def _may_be_crowded(self) -> bool:
        """Whether it is worth to look at what is buffered: that is a question to another thread."""
        return self._handed - self._gone > self._flow.high_water

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
        if not self._may_be_crowded():
            return
        while self._data_channel is not None and self._count() > self._flow.high_water:
            if not self._hears_progress:
                self._hears_progress = True
                self._data_channel.on("bufferedamountlow", self._went_out)
                continue
            # libwebrtc tells when it falls to the threshold, not of every step on the way there.
            self._data_channel.buffered_amount_low_threshold = self._flow.high_water // 2
            self._progress.clear()
            await self._progress.wait()
            self._check_alive()

    def _went_out(self, event: Event) -> None:
        if self._progress.is_set() and self._data_channel is not None:
            # Nobody waits any more. To hear of it costs as much as to hear of a message, and every message goes out.
            self._hears_progress = False
            self._data_channel.off("bufferedamountlow", self._went_out)
        self._progress.set()

    def _count(self) -> int:
        """See how much has gone out since the last look; returns what has not."""
        buffered, now = self.buffered, self._loop.time()
        progress = self._handed - buffered - self._gone
        self._gone += progress
        self._flow.acked(progress, now, idle=buffered == 0)
        if buffered:
            self._flow.started(now)
        return buffered

    async def _finish_sending(self, deadline: float) -> None:
        """Reset the stream (RFC 8831 section 6.7): libwebrtc does so once all is sent, and the peer agrees once it has all."""
        assert self._data_channel is not None
        self._data_channel.close()
        try:
            async with asyncio.timeout_at(deadline):
                await self._reset.wait()
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
        self._progress.set()
        if self._end is not None:
            self._reset.set()
        self._wake_receiver()
