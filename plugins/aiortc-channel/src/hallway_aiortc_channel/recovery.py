"""How soon SCTP sends again what was lost: aiortc's timers, made for a LAN where a round trip takes milliseconds."""

from __future__ import annotations

from typing import cast

import attrs
from aiortc import RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcsctptransport import Chunk, InitChunk, SackChunk

BACKOFF = 1.5
"""What the wait for an answer to INIT or COOKIE ECHO grows by each time."""
LONGEST = 4
"""That wait, at most, in multiples of the first."""


@attrs.frozen
class Timing:
    """Retransmission timeouts in seconds (RFC 9260 section 16): before the first measurement, and the bounds of measured ones."""

    initial: float
    lowest: float
    highest: float


LAN = Timing(initial=0.3, lowest=0.25, highest=2.0)
"""Above the 0.2 s by which browsers delay an acknowledgement. The RFC's values, made for the internet, let a lost datagram cost seconds."""
WAN = Timing(initial=1.0, lowest=1.0, highest=10.0)


class RecoveringSctp(RTCSctpTransport):
    """An association that notices a loss soon, and resumes soon after an outage.

    * An association is set up with short waits that grow, and not given up: the session's own deadline ends it.
    * While nothing at all comes back the timer keeps its pace, so the first datagram after an outage leaves within one timeout, and not
      after a wait as long as the outage was. Where acknowledgements come, but late, the timeout doubles (RFC 9260 section 6.3.3, E2), which
      aiortc leaves out: a timeout below the round trip would otherwise never be measured away.
    * A repeated INIT is answered, and changes nothing (RFC 9260 section 5.2.2). aiortc would forget what it has received.
    """

    def __init__(self, transport: RTCDtlsTransport, timing: Timing) -> None:
        super().__init__(transport)
        self._timing = timing
        self._rto = timing.initial
        self._heard = False

    def _update_rto(self, round_trip: float) -> None:
        # aiortc reads the wall clock: when somebody sets it, the difference is no round trip.
        super()._update_rto(min(max(round_trip, 0.0), self._timing.highest))
        measured = cast("float", self._srtt) + 4 * cast("float", self._rttvar)
        self._rto = min(max(measured, self._timing.lowest), self._timing.highest)

    def _t1_start(self, chunk: Chunk) -> None:
        self._rto = self._timing.initial
        super()._t1_start(chunk)

    def _t1_expired(self) -> None:
        self._rto = min(self._rto * BACKOFF, self._timing.initial * LONGEST)
        self._t1_failures = 0
        super()._t1_expired()

    def _t3_start(self) -> None:
        self._heard = False
        super()._t3_start()

    def _t3_expired(self) -> None:
        if self._heard:
            self._rto = min(self._rto * 2, self._timing.highest)
        self._heard = False
        super()._t3_expired()

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        self._heard = True
        await super()._receive_sack_chunk(chunk)

    async def _receive_chunk(self, chunk: Chunk) -> None:
        if not (isinstance(chunk, InitChunk) and self._knows(chunk)):
            await super()._receive_chunk(chunk)
            return
        kept = self._last_received_tsn, self._reconfig_response_seq, self._ssthresh
        await super()._receive_chunk(chunk)
        self._last_received_tsn, self._reconfig_response_seq, self._ssthresh = kept

    def _knows(self, chunk: InitChunk) -> bool:
        return self._last_received_tsn is not None and chunk.initiate_tag == self._remote_verification_tag
