"""The channel: messages over one data channel of one session."""

from __future__ import annotations

import asyncio

from webrtc import Event, InvalidStateError, MessageEvent, OperationError, RTCDataChannel

from hallway.interfaces import Channel, Taker
from hallway.model import Binding, Candidate, Path
from hallway.webrtc.arrivals import size_of
from hallway.webrtc.candidates import CandidateFilter
from hallway.webrtc.endings import End, EndedBy
from hallway.webrtc.flow import Flow
from hallway.webrtc.intake import Intake
from hallway.webrtc.life import Life
from hallway.webrtc.outlet import Outlet
from hallway.webrtc.sdp import LOCAL_MAX_MESSAGE, RemoteDescription
from hallway.webrtc.sizes import checked_size
from hallway_libwebrtc_channel.session import Session

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
        self._flow = Flow()
        self._unsent = 0
        """Bytes that libwebrtc had not sent at the last look, and what it was given since."""
        self._life = Life()
        self._intake = Intake(self._life, session.finish)
        self._outlet = Outlet(self._life, self._room, lambda message: self._hand_over(message, size_of(message)))
        self._reset = asyncio.Event()
        self._progress = asyncio.Event()
        self._hears_progress = False

    async def opened(self, deadline: float) -> None:
        """See `Channel.opened`."""
        await self._life.opened(deadline)

    async def send(self, message: str | bytes) -> None:
        """See `Channel.send`."""
        if not self.send_now(message):
            await self._outlet.send(message)
        elif self._unsent > self._flow.high_water:
            await self._outlet.settle()

    def send_now(self, message: str | bytes) -> bool:
        """See `Channel.send_now`."""
        size = checked_size(message, self.max_message)
        if self._life.is_over:
            raise self._life.error()
        if self._outlet.waiting or not self._life.is_open or self._is_crowded():
            return False
        self._hand_over(message, size)
        return True

    async def receive(self) -> str | bytes:
        """See `Channel.receive`."""
        return await self._intake.receive()

    def hand_first_to(self, taker: Taker) -> None:
        """See `Channel.hand_first_to`."""
        self._intake.hand_first_to(taker)

    async def add_candidate(self, candidate: Candidate) -> None:
        """See `Channel.add_candidate`. libwebrtc does not need to know when no more come."""
        if not self._life.is_over and candidate.candidate.strip():
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
        return self._session.path if self._life.is_open else None

    @property
    def binding(self) -> Binding | None:
        """See `Channel.binding`."""
        return self._session.binding if self._life.is_open else None

    async def aclose(self, deadline: float | None = None) -> None:
        """See `Channel.aclose`."""
        first = self._life.close()
        self._wake()
        try:
            if first and self._life.is_open and self._life.end is None:
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
        self._life.finish(end)
        self._data_channel = None
        self._wake()

    # Inside.

    def _adopt(self, data_channel: RTCDataChannel) -> None:
        self._data_channel = data_channel
        # At 0 each lone message that went out would be told of, which costs as much as to hear of one that came.
        data_channel.buffered_amount_low_threshold = self._flow.high_water // 2
        data_channel.on("message", self._arrived)
        data_channel.on("open", self._channel_open)
        data_channel.on("close", self._channel_closed)

    def _channel_open(self, event: Event) -> None:
        self._session.channel_is_open()
        if self._life.end is None:
            self._life.begin()

    def _channel_closed(self, event: Event) -> None:
        self._reset.set()
        self._session.finish(End(EndedBy.PEER))

    def _arrived(self, event: MessageEvent) -> None:
        message = event.data
        if self._life.is_over or not isinstance(message, str | bytes):
            return
        # UTF-8 has at most four bytes for a character (RFC 3629): most messages need not be measured.
        if 4 * len(message) > LOCAL_MAX_MESSAGE and size_of(message) > LOCAL_MAX_MESSAGE:
            self._violated(f"it sent a message of more than {LOCAL_MAX_MESSAGE} bytes")
        else:
            self._intake.put(message)

    def _violated(self, problem: str) -> None:
        self._session.finish(End(EndedBy.VIOLATION, problem))

    def _hand_over(self, message: str | bytes, size: int) -> None:
        assert self._data_channel is not None  # it goes with the end, which was looked for just now
        try:
            self._data_channel.send(message)
        except (InvalidStateError, OperationError) as error:
            raise (self._life.end or End(EndedBy.PEER)).error() from error
        self._unsent += size

    async def _room(self) -> None:
        self._life.check()
        while self._is_crowded():
            assert self._data_channel is not None  # as above
            if not self._hears_progress:
                self._hears_progress = True
                self._data_channel.on("bufferedamountlow", self._went_out)
                continue
            # libwebrtc tells when it falls to the threshold, not of every step on the way there.
            self._data_channel.buffered_amount_low_threshold = self._flow.high_water // 2
            self._progress.clear()
            await self._progress.wait()
            self._life.check()

    def _went_out(self, event: Event) -> None:
        if self._progress.is_set() and self._data_channel is not None:
            # Nobody waits any more. To hear of it costs as much as to hear of a message, and every message goes out.
            self._hears_progress = False
            self._data_channel.off("bufferedamountlow", self._went_out)
        self._progress.set()

    def _is_crowded(self) -> bool:
        """Look at what is buffered if there may be too much: that is a question to another thread."""
        return self._unsent > self._flow.high_water and self._count() > self._flow.high_water

    def _count(self) -> int:
        """See how much has gone out since the last look; returns what has not."""
        buffered, now = self.buffered, self._loop.time()
        gone, self._unsent = self._unsent - buffered, buffered
        self._flow.acked(gone, now, idle=buffered == 0)
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

    def _wake(self) -> None:
        self._progress.set()
        if self._life.end is not None:
            self._reset.set()
        self._intake.wake()
