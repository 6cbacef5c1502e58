"""aiortc's SCTP under hallway's bounds: a peer that breaks the protocol ends its own channel; what is acknowledged is counted."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from aiortc import RTCDataChannel, RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_DATA_LAST_FRAG,
    USERDATA_MAX_LENGTH,
    WEBRTC_BINARY,
    WEBRTC_BINARY_EMPTY,
    WEBRTC_DCEP,
    WEBRTC_STRING,
    WEBRTC_STRING_EMPTY,
    Chunk,
    DataChunk,
    InboundStream,
    SackChunk,
)
from OpenSSL import SSL

from hallway.webrtc.sdp import LOCAL_MAX_MESSAGE
from hallway_aiortc_channel._wire import check_packet
from hallway_aiortc_channel.acknowledging import AcknowledgingSctp
from hallway_aiortc_channel.errors import PEER_MADE, ProtocolViolation
from hallway_aiortc_channel.prompt import at_once
from hallway_aiortc_channel.recovery import Timing

logger = logging.getLogger(__name__)

MAX_UNFINISHED = 1200
"""Fragments in a row without the end of a message: more than our whole window of 1 MiB. Each costs a walk over those before it."""
MAX_HELD = 16384
"""Received chunks that wait for others, of all messages and streams."""
MAX_OVERDRAFT = 3 * 1024 * 1024
"""Bytes beyond our window of 1 MiB that a sender without regard for it may make us hold (aiortc is one)."""
MAX_WINDOW = 192 * 1024
"""Bytes in flight, at most: as many as a receiver's socket holds under Linux's default limits. aiortc's window has no bound of its own, and
the losses that it provokes at the end of a burst cost a timeout each."""
MAX_STREAMS = 64
"""Streams that a peer may use: we need one."""
TOO_MANY_STREAMS = f"it uses more than {MAX_STREAMS} streams"
_EMPTY: dict[int, str | bytes] = {WEBRTC_STRING_EMPTY: "", WEBRTC_BINARY_EMPTY: b""}
_TSN_MODULO = 1 << 32
_HALF = 1 << 31


class SctpListener(Protocol):
    """Who hears of an association's fate."""

    def violated(self, problem: str) -> None:
        """The peer broke the protocol."""

    def association_closed(self) -> None:
        """The peer aborted, or does not answer."""

    def acknowledged(self, size: int) -> None:
        """The peer has ``size`` more bytes of our messages."""


class BoundedSctp(AcknowledgingSctp):
    """An association whose peer is not trusted with our memory or our time."""

    def __init__(self, transport: RTCDtlsTransport, listener: SctpListener, timing: Timing) -> None:
        super().__init__(transport, timing)
        self._listener = listener
        self._taken: RTCDataChannel | None = None
        self._taker: Callable[[str | bytes], None] = _drop
        self._broken = False
        self._bears_data = False
        """Whether there is data in the packet that is being taken."""
        self._deferred: list[SackChunk] = []
        """Acknowledgements that came with data, for which somebody may wait."""
        self._unfinished: dict[int, int] = {}
        self._ledger: deque[tuple[int, int]] = deque()
        self._ledger_bytes = 0
        self._sent_bytes = 0
        self.acknowledged_bytes = 0
        """Bytes that the peer has acknowledged since the start, those after a gap too: what it has is there, whatever is missing before."""

    @property
    def outstanding(self) -> int:
        """Bytes that were handed to SCTP and that the peer has not acknowledged."""
        if not self._ledger:
            return 0
        last_tsn, size = self._ledger[0]
        missing = (last_tsn - self._last_sacked_tsn) % _TSN_MODULO * USERDATA_MAX_LENGTH
        return self._ledger_bytes - size + min(size, missing)

    @property
    def is_drained(self) -> bool:
        """Whether the peer has acknowledged everything."""
        return not self._ledger and not self._data_channel_queue

    def send_now(self, channel: RTCDataChannel, message: str | bytes) -> None:
        """Send a message on an open data channel, as far as the window goes, at once: aiortc starts a task for each."""
        kind, data = _content(message)
        if self._data_channel_queue or self._outbound_queue or channel.id is None:
            channel._addBufferedAmount(len(data))
            self._data_channel_queue.append((channel, kind, data))
            at_once(self._data_channel_flush())
        else:
            at_once(self._send(channel.id, kind, data))

    def hand_to(self, channel: RTCDataChannel, taker: Callable[[str | bytes], None]) -> None:
        """Give ``taker`` the messages of that data channel, without aiortc's events."""
        self._taken, self._taker = channel, taker

    async def _handle_data(self, data: bytes) -> None:
        if not self._broken:
            await self._hold_to_account(self._take(data))

    async def _take(self, data: bytes) -> None:
        self._bears_data = check_packet(data)
        await super()._handle_data(data)
        if self._deferred:
            asyncio.get_running_loop().call_soon(self._take_deferred)

    async def _receive_chunk(self, chunk: Chunk) -> None:
        if self._bears_data and isinstance(chunk, SackChunk):
            self._deferred.append(chunk)
        else:
            await super()._receive_chunk(chunk)

    def _take_deferred(self) -> None:
        sacks, self._deferred = self._deferred, []
        for sack in sacks:
            if not self._broken and self._association_state is self.State.ESTABLISHED:
                at_once(self._hold_to_account(super()._receive_chunk(sack)))

    async def _hold_to_account(self, work: Coroutine[Any, Any, None]) -> None:
        """Process what the peer sent; what cannot be processed is its fault."""
        try:
            await work
        except ConnectionError:
            raise
        except ProtocolViolation as error:
            self._violated(str(error))
        except PEER_MADE as error:
            logger.info("a packet of the peer could not be processed", exc_info=error)
            self._violated(f"it sent SCTP that cannot be processed ({type(error).__name__})")

    def _violated(self, problem: str) -> None:
        self._broken = True
        self._listener.violated(problem)

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if len(data) > LOCAL_MAX_MESSAGE:
            raise ProtocolViolation(f"it sent a message of {len(data)} bytes where {LOCAL_MAX_MESSAGE} are allowed")
        if self._taken is None or self._data_channels.get(stream_id) is not self._taken or pp_id == WEBRTC_DCEP:
            await super()._receive(stream_id, pp_id, data)
        elif pp_id == WEBRTC_BINARY:
            self._taker(data)
        elif pp_id == WEBRTC_STRING:
            self._taker(data.decode())
        elif pp_id in _EMPTY:
            self._taker(_EMPTY[pp_id])

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        self._check_held(chunk)
        await super()._receive_data_chunk(chunk)

    def _check_held(self, chunk: DataChunk) -> None:
        run = 0 if chunk.flags & SCTP_DATA_LAST_FRAG else self._unfinished.get(chunk.stream_id, 0) + 1
        self._unfinished[chunk.stream_id] = run
        # What came before is not looked at again, but its stream may be any.
        if len(self._unfinished) > MAX_STREAMS:
            raise ProtocolViolation(TOO_MANY_STREAMS)
        held = sum(len(stream.reassembly) for stream in self._inbound_streams.values())
        if run > MAX_UNFINISHED or held >= MAX_HELD or self._advertised_rwnd < -MAX_OVERDRAFT:
            raise ProtocolViolation("it sent too many fragments without finishing their messages")

    def _get_inbound_stream(self, stream_id: int) -> InboundStream:
        if stream_id not in self._inbound_streams and len(self._inbound_streams) >= MAX_STREAMS:
            raise ProtocolViolation(TOO_MANY_STREAMS)
        return super()._get_inbound_stream(stream_id)

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        self._check_sack(chunk)
        self._cwnd = min(self._cwnd, MAX_WINDOW)
        await super()._receive_sack_chunk(chunk)
        self._settle()
        self._count_acknowledged(chunk)

    def _count_acknowledged(self, chunk: SackChunk) -> None:
        beyond_gaps = sum(sent._book_size for sent in self._sent_queue if sent._acked and sent.protocol != WEBRTC_DCEP) if chunk.gaps else 0
        # A peer may take back what it acknowledged after a gap (RFC 9260 section 6.2.1): that is no progress, and no step back either.
        progress = max(0, self._sent_bytes - self.outstanding + beyond_gaps - self.acknowledged_bytes)
        self.acknowledged_bytes += progress
        self._listener.acknowledged(progress)

    def _check_sack(self, chunk: SackChunk) -> None:
        """Refuse acknowledgements of what was never sent: aiortc walks their ranges one by one."""
        beyond = (self._local_tsn - 1 - chunk.cumulative_tsn) % _TSN_MODULO
        if beyond >= _HALF or any(not 0 < first <= last <= beyond for first, last in chunk.gaps):
            raise ProtocolViolation("it acknowledged data that was not sent")

    def _settle(self) -> None:
        while self._ledger and (self._last_sacked_tsn - self._ledger[0][0]) % _TSN_MODULO < _HALF:
            self._ledger_bytes -= self._ledger.popleft()[1]

    async def _send(
        self,
        stream_id: int,
        pp_id: int,
        user_data: bytes,
        expiry: float | None = None,
        max_retransmits: int | None = None,
        ordered: bool = True,
    ) -> None:
        if pp_id != WEBRTC_DCEP:
            fragments = -(-len(user_data) // USERDATA_MAX_LENGTH)
            self._ledger.append(((self._local_tsn + fragments - 1) % _TSN_MODULO, len(user_data)))
            self._ledger_bytes += len(user_data)
            self._sent_bytes += len(user_data)
        await super()._send(stream_id, pp_id, user_data, expiry=expiry, max_retransmits=max_retransmits, ordered=ordered)

    async def _send_chunk(self, chunk: Chunk) -> None:
        try:
            await super()._send_chunk(chunk)
        except (ConnectionError, SSL.Error) as error:
            # aiortc sends from tasks that nobody awaits. That the transport is gone or broken is told by the transport itself.
            logger.debug("an SCTP chunk was not sent: %s", error)

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state is self.State.CLOSED:
            self._listener.association_closed()


def _content(message: str | bytes) -> tuple[int, bytes]:
    """The payload protocol identifier of a message, and its bytes (RFC 8831 sections 6.6 and 8)."""
    if isinstance(message, str):
        return (WEBRTC_STRING, message.encode()) if message else (WEBRTC_STRING_EMPTY, b"\0")
    return (WEBRTC_BINARY, message) if message else (WEBRTC_BINARY_EMPTY, b"\0")


def _drop(message: str | bytes) -> None:
    """Nobody takes messages yet."""
