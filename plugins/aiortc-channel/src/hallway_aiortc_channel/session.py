"""One session: ICE, DTLS and SCTP of aiortc's object model, put together without its peer connection.

`RTCPeerConnection` starts its transports in tasks that nobody owns, reads SDP with a parser of its own, and takes no certificate. The
objects beneath it (ORTC's) are public and leave order, ownership and deadlines to us.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable
from typing import Any, Protocol

from aioice import Candidate
from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDataChannelParameters,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
    RTCSctpCapabilities,
)

from hallway.model import Binding, IcePolicy, Path
from hallway.webrtc.candidates import RemoteCandidate
from hallway.webrtc.endings import End, EndedBy, no_address
from hallway.webrtc.sdp import Fingerprint, LocalDescription, RemoteDescription, Setup
from hallway_aiortc_channel.gathering import Plan
from hallway_aiortc_channel.ice import PolicedConnection
from hallway_aiortc_channel.prompt import PromptDtls
from hallway_aiortc_channel.recovery import LAN, WAN
from hallway_aiortc_channel.sctp import BoundedSctp

logger = logging.getLogger(__name__)

CONNECT_CAP = 30.0
"""Seconds from the answer to an open channel, at most, whatever the caller's deadline is."""
RELEASE_CAP = 1.0
"""Seconds that closing the sockets may take."""
CANCEL_RETRY = 0.02
"""Seconds until a cancellation that was lost is repeated."""
LABEL = "data"


class SessionListener(Protocol):
    """Who hears what happens in a session: its channel. No method may raise, and only `read_up` may wait."""

    def channel_found(self, data_channel: RTCDataChannel) -> None:
        """The peer opened a data channel."""

    def acknowledged(self, size: int) -> None:
        """The peer has ``size`` more bytes."""

    def has_room(self) -> bool:
        """Whether more may be taken in: the reader is not busy with what came before, or nobody reads at all."""

    async def read_up(self) -> None:
        """Wait until `has_room` holds."""

    def ended(self, end: End) -> None:
        """The session is over; told once."""


def _sha256(fingerprints: Iterable[RTCDtlsFingerprint]) -> Fingerprint:
    return next(Fingerprint("sha-256", one.value) for one in fingerprints if one.algorithm == "sha-256")


class Session:
    """The transports of one channel. Gather, describe, start, release: in this order, each once."""

    def __init__(self, plan: Plan, *, offerer: bool) -> None:
        self.plan = plan
        self.offerer = offerer
        self.connection = PolicedConnection(plan, controlling=offerer)
        gatherer = RTCIceGatherer(iceServers=[])
        gatherer._connection = self.connection
        certificate = RTCCertificate.generateCertificate()
        self.fingerprint = _sha256(certificate.getFingerprints())
        self._ice = RTCIceTransport(gatherer)
        self._dtls = PromptDtls(self._ice, certificate, self.connection.write)
        self.connection.read = self._dtls.read
        self.sctp = BoundedSctp(self._dtls, self, LAN if plan.reach.policy is IcePolicy.LAN else WAN)
        self._listener: SessionListener | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._remote: RemoteDescription | None = None
        self._up = asyncio.Event()
        self._over = False
        self._released: asyncio.Task[None] | None = None

    async def gather(self) -> None:
        """Bind sockets and ask servers.

        Raises:
            Unreachable: no candidate came of it.

        """
        await self._ice.iceGatherer.gather()
        if not self.connection.local_candidates:
            raise no_address()

    def describe(self, setup: Setup, *, mid: str = "0", bundled: bool = True) -> str:
        """Our SDP; the gathering must be done."""
        candidates = self.connection.local_candidates
        return LocalDescription(
            ufrag=self.connection.local_username,
            pwd=self.connection.local_password,
            fingerprint=self.fingerprint,
            setup=setup,
            candidates=tuple(candidate.to_sdp() for candidate in candidates),
            host=candidates[0].host,
            port=candidates[0].port,
            mid=mid,
            bundled=bundled,
        ).render(time.time_ns() // 1000)

    def start(self, remote: RemoteDescription, setup: Setup, listener: SessionListener) -> None:
        """Begin to connect; ``setup`` is our own part (active: DTLS client). The listener hears how it ends."""
        self._listener = listener
        self.connection.has_room, self.connection.room = listener.has_room, listener.read_up
        self._remote = remote
        self.connection.ice_controlling = self.offerer or remote.lite
        self._dtls._set_role("client" if setup == "active" else "server")
        self.connection.records.client = setup == "active"
        self._dtls.on("statechange", self._dtls_changed)
        self.sctp.on("datachannel", listener.channel_found)
        self._own(self._connect(remote), "hallway connect")

    def open_channel(self) -> RTCDataChannel:
        """Our end's data channel, opened in band (RFC 8832) as soon as the association stands."""
        return RTCDataChannel(self.sctp, RTCDataChannelParameters(label=LABEL))

    def add_candidates(self, candidates: Iterable[RemoteCandidate], *, complete: bool) -> None:
        """Hand on filtered candidates; names are resolved in the background, and hold nothing up."""
        self._own(self._add(list(candidates), complete=complete), "hallway candidates")

    def channel_is_open(self) -> None:
        """The channel can pass messages: connecting is over."""
        self._up.set()
        self.connection.settle()

    @property
    def binding(self) -> Binding | None:
        """Both ends' fingerprints, once DTLS has verified the peer's."""
        if self._dtls.state != "connected" or self._dtls._ssl is None or self._remote is None:
            return None
        return Binding(local=f"sha-256 {self.fingerprint.value}", remote=f"sha-256 {self._remote.sha256.value}")

    @property
    def path(self) -> Path | None:
        """The addresses between which datagrams pass now."""
        return self.connection.path

    def finish(self, end: End) -> None:
        """End the session, tell the listener and release everything in the background; `release` awaits that."""
        if self._over:
            return
        self._over = True
        self._releasing()
        if self._listener is not None:
            self._listener.ended(end)

    async def release(self) -> None:
        """Close every transport and wait until nothing is left, even if cancelled meanwhile."""
        self._over = True
        releasing = self._releasing()
        try:
            await asyncio.shield(releasing)
        except asyncio.CancelledError:
            await asyncio.wait([releasing])
            raise

    # What SCTP tells us.

    def violated(self, problem: str) -> None:
        """Implements `SctpListener`."""
        self.finish(End(EndedBy.VIOLATION, problem))

    def association_closed(self) -> None:
        """Implements `SctpListener`."""
        self.finish(End(EndedBy.PEER))

    def acknowledged(self, size: int) -> None:
        """Implements `SctpListener`."""
        if self._listener is not None:
            self._listener.acknowledged(size)

    # Connecting.

    async def _connect(self, remote: RemoteDescription) -> None:
        try:
            async with asyncio.timeout(CONNECT_CAP):
                await self._start_transports(remote)
                # A peer that refuses our certificate leaves us connected: only an open channel shows that it took us.
                await self._up.wait()
        except TimeoutError:
            self.finish(End(EndedBy.NETWORK, f"no channel opened within {CONNECT_CAP:.0f} s"))

    async def _start_transports(self, remote: RemoteDescription) -> None:
        await self._ice.start(RTCIceParameters(usernameFragment=remote.ufrag, password=remote.pwd, iceLite=remote.lite))
        if self._ice.state != "completed":
            self.finish(End(EndedBy.NETWORK, "no path to the peer works"))
            return
        fingerprints = [RTCDtlsFingerprint(algorithm=one.algorithm, value=one.value) for one in remote.fingerprints]
        await self._dtls.start(RTCDtlsParameters(fingerprints=fingerprints))
        if self._dtls.state == "connected":
            await self.sctp.start(RTCSctpCapabilities(maxMessageSize=remote.max_message), remote.sctp_port)

    def _dtls_changed(self) -> None:
        self.connection.records.keyed = self._dtls.state == "connected"
        if self._dtls.state not in {"failed", "closed"}:
            return
        if self.connection.failure:
            self.finish(End(EndedBy.ERROR, self.connection.failure))
        elif self.connection._closing:
            self.finish(End(EndedBy.NETWORK, "it does not answer any more"))
        elif self._dtls.state == "failed" and not self._dtls.encrypted:
            # Until there are keys anybody who forges the peer's address can break it: no fault of the peer is shown.
            self.finish(End(EndedBy.NETWORK, "the DTLS handshake failed"))
        elif self._dtls.state == "failed":
            self.finish(End(EndedBy.VIOLATION, "its certificate is not the one that was announced"))
        else:
            self.finish(End(EndedBy.PEER))

    async def _add(self, candidates: list[RemoteCandidate], *, complete: bool) -> None:
        for candidate in candidates:
            if not candidate.is_name:
                await self._add_one(candidate)
        await asyncio.gather(*(self._add_one(candidate) for candidate in candidates if candidate.is_name))
        if complete and not self.connection._remote_candidates_end:
            await self.connection.add_remote_candidate(None)

    async def _add_one(self, one: RemoteCandidate) -> None:
        if self.connection._remote_candidates_end:
            return
        candidate = Candidate(one.foundation, 1, "udp", one.priority, one.host, one.port, one.type)
        try:
            await self.connection.add_remote_candidate(candidate)
        except OSError as error:
            logger.info("the mDNS name of a candidate cannot be resolved: %s", error)

    # Ending.

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s failed", task.get_name(), exc_info=error)
            self.finish(End(EndedBy.ERROR, f"{type(error).__name__}: {error}"))

    def _releasing(self) -> asyncio.Task[None]:
        if self._released is None:
            self._released = asyncio.get_running_loop().create_task(self._release(), name="hallway release")
        return self._released

    async def _release(self) -> None:
        await _cancel(self._tasks)
        pump = self._dtls._task
        await self.sctp.stop()
        await self._dtls.stop()
        try:
            async with asyncio.timeout(RELEASE_CAP):
                await self._ice.stop()
        except TimeoutError:
            logger.warning("closing the sockets of a session took more than %.0f s; they are abandoned", RELEASE_CAP)
        if pump is not None:
            await asyncio.wait([pump])


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel until it has worked: `asyncio.wait_for`, which aiortc uses, can lose a cancellation in Python 3.11."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_RETRY)
