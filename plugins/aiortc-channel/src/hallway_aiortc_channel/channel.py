"""The channel: messages over one data channel of one session."""

from __future__ import annotations

import asyncio
from math import inf

from aiortc import RTCDataChannel

from hallway.interfaces import Channel, Taker
from hallway.model import Binding, Candidate, Path
from hallway.webrtc.candidates import CandidateFilter
from hallway.webrtc.endings import End, EndedBy
from hallway.webrtc.flow import Flow
from hallway.webrtc.intake import Intake
from hallway.webrtc.life import Life
from hallway.webrtc.outlet import Outlet
from hallway.webrtc.sdp import RemoteDescription, Setup
from hallway.webrtc.sizes import checked_size
from hallway_aiortc_channel.session import Session

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
        self._flow = Flow()
        self._life = Life()
        self._intake = Intake(self._life, session.finish)
        self._outlet = Outlet(self._life, self._room, self._hand_over)
        self._read_at = -inf
        self._read_up = asyncio.Event()
        self._progress = asyncio.Event()

    def begin(self, remote: RemoteDescription, setup: Setup) -> None:
        """Start to connect, as the end that has both descriptions now."""
        self._session.start(remote, setup, self)
        if self._session.offerer:
            self._adopt(self._session.open_channel())

    async def opened(self, deadline: float) -> None:
        """See `Channel.opened`."""
        await self._life.opened(deadline)

    async def send(self, message: str | bytes) -> None:
        """See `Channel.send`."""
        if not self.send_now(message):
            await self._outlet.send(message)
        elif self.buffered > self._flow.high_water:
            await self._outlet.settle()

    def send_now(self, message: str | bytes) -> bool:
        """See `Channel.send_now`."""
        checked_size(message, self.max_message)
        if self._life.is_over:
            raise self._life.error()
        if self._outlet.waiting or not self._life.is_open or self.buffered > self._flow.high_water:
            return False
        self._hand_over(message)
        return True

    async def receive(self) -> str | bytes:
        """See `Channel.receive`."""
        message = await self._intake.receive()
        self._read_at = self._loop.time()
        if not self._intake.arrivals.crowded:
            self._read_up.set()
        return message

    def hand_first_to(self, taker: Taker) -> None:
        """See `Channel.hand_first_to`."""
        self._intake.hand_first_to(taker)

    async def add_candidate(self, candidate: Candidate) -> None:
        """See `Channel.add_candidate`."""
        if self._life.is_over:
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
        return self._session.path if self._life.is_open else None

    @property
    def binding(self) -> Binding | None:
        """See `Channel.binding`."""
        return self._session.binding

    async def aclose(self, deadline: float | None = None) -> None:
        """See `Channel.aclose`."""
        first = self._life.close()
        self._wake()
        try:
            if first and self._life.is_open:
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
        return not self._intake.arrivals.crowded or self._loop.time() - self._read_at >= READING or self._life.is_over

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
        self._life.finish(end)
        self._wake()

    # Inside.

    def _adopt(self, data_channel: RTCDataChannel) -> None:
        # Handlers first: aiortc keeps no message for a handler that comes later.
        self._data_channel = data_channel
        self._session.sctp.hand_to(data_channel, self._intake.put)
        data_channel.on("open", self._channel_open)
        data_channel.on("close", self._channel_closed)
        if data_channel.readyState == "open":
            self._channel_open()

    def _channel_open(self) -> None:
        self._life.begin()
        self._session.channel_is_open()

    def _channel_closed(self) -> None:
        self._session.finish(End(EndedBy.PEER))

    def _hand_over(self, message: str | bytes) -> None:
        assert self._data_channel is not None
        if self._data_channel.readyState != "open":
            raise End(EndedBy.PEER).error()
        self._flow.started(self._loop.time())
        self._session.sctp.send_now(self._data_channel, message)

    async def _room(self) -> None:
        self._life.check()
        while self.buffered > self._flow.high_water:
            await self._next_progress()
            self._life.check()

    async def _next_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    async def _drain(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                while self._life.end is None and not self._session.sctp.is_drained:
                    await self._next_progress()
        except TimeoutError:
            return

    def _wake(self) -> None:
        self._read_up.set()
        self._progress.set()
        self._intake.wake()
