"""When SCTP acknowledges: for every second packet, or with what goes to the peer anyway (RFC 9260 section 6.2); aiortc does for each."""

from __future__ import annotations

import asyncio

from aiortc import RTCDtlsTransport
from aiortc.rtcsctptransport import Chunk, DataChunk, SackChunk

from hallway_aiortc_channel.prompt import at_once
from hallway_aiortc_channel.recovery import RecoveringSctp, Timing

EVERY = 2
"""Packets of data that one acknowledgement is for, at most."""
DELAY = 0.005
"""Seconds that an acknowledgement waits for the application's answer, to go out in the same packet. The RFC allows 0.2: so long it would
hold up a peer whose window is down to one packet."""


class _Bundle(Chunk):
    """An acknowledgement and data in one packet."""

    def __init__(self, sack: SackChunk, data: DataChunk) -> None:
        self._bytes = bytes(sack) + bytes(data)

    def __bytes__(self) -> bytes:
        return self._bytes

    def __repr__(self) -> str:
        return f"Bundle({len(self._bytes)} bytes)"


class AcknowledgingSctp(RecoveringSctp):
    """An association that acknowledges with few packets: each costs as much as one with data.

    What is lost, out of order or came twice is told at once.
    """

    def __init__(self, transport: RTCDtlsTransport, timing: Timing) -> None:
        super().__init__(transport, timing)
        self._unacknowledged = 0
        """Packets of data since the last acknowledgement."""
        self._gap_told = False
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def _send_sack(self) -> None:
        """aiortc calls it after every packet with data."""
        self._sack_needed = False
        self._unacknowledged += 1
        is_plain = not (self._sack_misordered or self._sack_duplicates or self._gap_told)
        if is_plain and self._unacknowledged < EVERY and self._association_state is self.State.ESTABLISHED:
            self._acknowledge_later()
        else:
            await self._acknowledge()

    async def _acknowledge(self) -> None:
        self._gap_told = bool(self._sack_misordered)
        self._unacknowledged = 0
        await super()._send_sack()

    def _acknowledge_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + DELAY
        if self._timer is None:
            self._timer = loop.call_at(self._due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if not self._unacknowledged:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._due:
            # The one that it was set for went out; this is for a later packet.
            self._timer = loop.call_at(self._due, self._on_timer)
        else:
            at_once(self._acknowledge())

    async def _send_chunk(self, chunk: Chunk) -> None:
        if self._unacknowledged and isinstance(chunk, DataChunk):
            self._unacknowledged = 0
            chunk = _Bundle(self._plain_sack(), chunk)
        await super()._send_chunk(chunk)

    def _plain_sack(self) -> SackChunk:
        """The acknowledgement that waits: only one that tells of no gap and no duplicate does."""
        sack = SackChunk()
        sack.cumulative_tsn = self._last_received_tsn
        sack.advertised_rwnd = max(0, self._advertised_rwnd)
        return sack

    def _set_state(self, state: RecoveringSctp.State) -> None:
        super()._set_state(state)
        if state is self.State.CLOSED:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._unacknowledged = None, 0
