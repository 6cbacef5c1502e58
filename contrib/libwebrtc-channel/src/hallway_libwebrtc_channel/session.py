"""One session: a peer connection of libwebrtc, from its description to its end.

libwebrtc works in threads of its own. Its Python side queues what they say and hands it out in order on the loop that made the
connection: nothing here is ever called from another thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import time
from collections.abc import Iterable
from typing import Literal, Protocol

from webrtc import (
    Event,
    RTCConfiguration,
    RTCDataChannel,
    RTCDataChannelEvent,
    RTCException,
    RTCIceCandidateInit,
    RTCIceTransport,
    RTCPeerConnection,
    RTCSessionDescriptionInit,
)

from hallway.model import Binding, Path
from hallway.webrtc.candidates import RemoteCandidate
from hallway.webrtc.endings import End, EndedBy, no_address
from hallway.webrtc.sdp import Fingerprint, LocalDescription, RemoteDescription, read_description
from hallway_libwebrtc_channel.errors import refused
from hallway_libwebrtc_channel.gathering import GATHERING_CAP, Plan
from hallway_libwebrtc_channel.ports import one_port

logger = logging.getLogger(__name__)

CONNECT_CAP = 30.0
"""Seconds from the answer to an open channel, at most, whatever the caller's deadline is."""
LABEL = "data"
_DISTANT = frozenset({"srflx", "relay"})


class SessionListener(Protocol):
    """Who hears what happens in a session: its channel. No method may block or raise."""

    def channel_found(self, data_channel: RTCDataChannel) -> None:
        """A data channel is there: our own, or one that the peer opened."""

    def ended(self, end: End) -> None:
        """The session is over; told once."""


class Session:
    """The peer connection of one channel. Offer and accept, or answer; then release."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._loop = asyncio.get_running_loop()
        self._connection: RTCPeerConnection | None = None
        self._data_channel: RTCDataChannel | None = None
        self._ice: RTCIceTransport | None = None
        self._fingerprint: Fingerprint | None = None
        self._remote: RemoteDescription | None = None
        self._listener: SessionListener | None = None
        self._cap: asyncio.TimerHandle | None = None
        self._gathered = asyncio.Event()
        self._adding: set[asyncio.Task[None]] = set()
        self._over = False

    # Describing.

    async def offer(self) -> str:
        """Gather, and return our offer.

        Raises:
            Unreachable: no candidate came of it.

        """
        deadline = self._loop.time() + GATHERING_CAP
        servers = await self.plan.resolved(deadline)
        with one_port(self.plan.addresses, self.plan.ports) as port:
            connection = self._connect(RTCConfiguration(ice_servers=servers, port_range=(port, port)))
            self._data_channel = connection.create_data_channel(LABEL)
            return await self._describe(connection, deadline)

    async def accept(self, remote: RemoteDescription, candidates: Iterable[RemoteCandidate], listener: SessionListener) -> None:
        """Take the peer's answer to our offer, and begin to connect. The listener hears of our data channel, and how it ends.

        Raises:
            BadDescription: libwebrtc does not take it.

        """
        assert self._connection is not None
        assert self._data_channel is not None
        listener.channel_found(self._data_channel)
        await self._take(self._connection, "answer", remote, candidates, listener)

    async def answer(self, remote: RemoteDescription, candidates: Iterable[RemoteCandidate], listener: SessionListener) -> str:
        """Take the peer's offer, gather, begin to connect, and return our answer.

        Raises:
            BadDescription: libwebrtc does not take it.
            Unreachable: no candidate came of it.

        """
        deadline = self._loop.time() + GATHERING_CAP
        servers = await self.plan.resolved(deadline)
        with one_port(self.plan.addresses, self.plan.ports) as port:
            connection = self._connect(RTCConfiguration(ice_servers=servers, port_range=(port, port)))
            await self._take(connection, "offer", remote, candidates, listener)
            return await self._describe(connection, deadline)

    def _connect(self, configuration: RTCConfiguration) -> RTCPeerConnection:
        connection = self._connection = RTCPeerConnection(configuration)
        connection.on("datachannel", self._found)
        connection.on("icegatheringstatechange", self._gathering_changed)
        connection.on("connectionstatechange", self._state_changed)
        return connection

    async def _describe(self, connection: RTCPeerConnection, deadline: float) -> str:
        await connection.set_local_description()
        try:
            async with asyncio.timeout_at(deadline):
                await self._gathered.wait()
        except TimeoutError:
            logger.info("gathering candidates was cut off after %.2f s", GATHERING_CAP)
        return self._render(connection)

    def _gathering_changed(self, event: Event) -> None:
        if self._connection is not None and self._connection.ice_gathering_state == "complete":
            self._gathered.set()

    def _render(self, connection: RTCPeerConnection) -> str:
        made = connection.local_description
        assert made is not None
        own = read_description(made.sdp, "offer" if made.type == "offer" else "answer")
        candidates = self.plan.told(own.candidates)
        if not candidates:
            raise no_address()
        self._fingerprint = own.sha256
        host, port = candidates[0].split(" ")[4:6]
        return LocalDescription(
            ufrag=own.ufrag,
            pwd=own.pwd,
            fingerprint=own.sha256,
            setup=own.setup,
            candidates=tuple(candidates),
            host=host,
            port=int(port),
            mid=own.mid,
            bundled=own.bundled,
        ).render(time.time_ns() // 1000)

    async def _take(
        self,
        connection: RTCPeerConnection,
        kind: Literal["offer", "answer"],
        remote: RemoteDescription,
        candidates: Iterable[RemoteCandidate],
        listener: SessionListener,
    ) -> None:
        """Set the remote description. The listener is there before, for things may happen before this returns."""
        self._listener, self._remote = listener, remote
        text = remote.rewritten((one.attribute for one in candidates if not one.is_name), time.time_ns() // 1000)
        try:
            await connection.set_remote_description(RTCSessionDescriptionInit(kind, text))
        except RTCException as error:
            self._listener = None
            raise refused(error) from error
        self._cap = self._loop.call_later(CONNECT_CAP, self._too_late)

    # Connecting.

    def add_candidate(self, candidate: RemoteCandidate) -> None:
        """Hand on a filtered candidate, in the background.

        Names are left out: libwebrtc would look them up in a thread. Who has one finds us by our own candidates.
        """
        if not candidate.is_name and not self._over:
            task = self._loop.create_task(self._add(candidate), name="hallway candidate")
            self._adding.add(task)
            task.add_done_callback(self._adding.discard)

    async def _add(self, candidate: RemoteCandidate) -> None:
        if self._connection is None or self._remote is None:
            return
        init = RTCIceCandidateInit(f"candidate:{candidate.attribute}", self._remote.mid)
        try:
            await self._connection.add_ice_candidate(init)
        except RTCException as error:
            logger.info("a candidate was not taken: %s", error)

    def channel_is_open(self) -> None:
        """The channel can pass messages: connecting is over."""
        self._stop_cap()
        ice = self._transport()
        if ice is not None and self._ice is None:
            self._ice = ice
            ice.on("selectedcandidatepairchange", self._path_changed)
        self._check_path()

    def _path_changed(self, event: Event) -> None:
        self._check_path()

    def _check_path(self) -> None:
        """End a session that leads where the policy does not: a check from there was answered before anybody could forbid it."""
        path = self.path
        if path is None:
            return
        allowed = {str(address.ip) for address in self.plan.addresses}
        relayed = self._pair_types()[0] != "host"
        if not (relayed or path.local in allowed) or not self.plan.reach.admits(path.remote):
            self.finish(End(EndedBy.NETWORK, f"its path, from {path.local} to {path.remote}, is not allowed"))

    def _transport(self) -> RTCIceTransport | None:
        sctp = self._connection.sctp if self._connection is not None else None
        return sctp.transport.ice_transport if sctp is not None else None

    def _pair_types(self) -> tuple[str, str]:
        pair = self._ice.get_selected_candidate_pair() if self._ice is not None else None
        return (str(pair.local.type), str(pair.remote.type)) if pair is not None else ("", "")

    @property
    def path(self) -> Path | None:
        """The addresses between which datagrams pass now; None for a peer found by its checks alone: libwebrtc hides its address then."""
        pair = self._ice.get_selected_candidate_pair() if self._ice is not None and not self._over else None
        if pair is None or pair.local.address is None or pair.remote.address is None:
            return None
        on_site = self.plan.reach.lan.holds(ipaddress.ip_address(pair.remote.address))
        return Path(pair.local.address, pair.remote.address, distant=not on_site or not _DISTANT.isdisjoint(self._pair_types()))

    @property
    def binding(self) -> Binding | None:
        """Both ends' fingerprints, once DTLS has verified the peer's: what it has shown is compared once more."""
        shown = self._shown()
        if shown is None or self._fingerprint is None or self._remote is None or shown != self._remote.sha256.value:
            return None
        return Binding(local=f"sha-256 {self._fingerprint.value}", remote=f"sha-256 {shown}")

    def _shown(self) -> str | None:
        """The fingerprint of the certificate that the peer has shown."""
        sctp = self._connection.sctp if self._connection is not None else None
        certificates = sctp.transport.get_remote_certificates() if sctp is not None else []
        return hashlib.sha256(certificates[0]).digest().hex(":").upper() if certificates else None

    # Ending.

    def finish(self, end: End) -> None:
        """End the session and tell the listener, once."""
        if self._over:
            return
        self._close()
        if self._listener is not None:
            self._listener.ended(end)

    async def release(self) -> None:
        """Close the connection and wait until nothing of it is left."""
        self._close()
        if self._adding:
            await asyncio.wait(self._adding)

    def _close(self) -> None:
        self._over = True
        self._stop_cap()
        for task in self._adding:
            task.cancel()
        # Not held any longer: libwebrtc frees a connection with its last reference.
        connection, self._connection, self._data_channel, self._ice = self._connection, None, None, None
        if connection is not None:
            connection.close()

    def _found(self, event: RTCDataChannelEvent) -> None:
        if self._listener is not None and not self._over:
            self._listener.channel_found(event.channel)

    def _state_changed(self, event: Event) -> None:
        if self._connection is None or self._connection.connection_state != "failed":
            return
        sctp, shown = self._connection.sctp, self._shown()
        if self._remote is not None and shown is not None and shown != self._remote.sha256.value:
            self.finish(End(EndedBy.VIOLATION, "its certificate is not the one that was announced"))
        elif sctp is not None and sctp.transport.state == "failed":
            # Until there are keys anybody who forges the peer's address can break it: no fault of the peer is shown.
            self.finish(End(EndedBy.NETWORK, "the DTLS handshake failed"))
        else:
            self.finish(End(EndedBy.NETWORK, "no path to the peer works"))

    def _too_late(self) -> None:
        self.finish(End(EndedBy.NETWORK, f"no channel opened within {CONNECT_CAP:.0f} s"))

    def _stop_cap(self) -> None:
        if self._cap is not None:
            self._cap.cancel()
