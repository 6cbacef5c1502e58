"""The connector: makes channels by offer and answer."""

from __future__ import annotations

import contextlib

from webrtc import RTCPeerConnection

from hallway.errors import BadDescription, Unreachable
from hallway.interfaces import Channel, Connector, Dialing
from hallway.model import Description, IcePolicy
from hallway.network import InterfaceAddress
from hallway.plugins import PluginContext
from hallway.webrtc.candidates import CandidateFilter, Reach, RemoteCandidate
from hallway.webrtc.endings import no_address
from hallway.webrtc.sdp import RemoteDescription, read_description
from hallway_libwebrtc_channel.channel import KIND, LibwebrtcChannel
from hallway_libwebrtc_channel.config import LibwebrtcConfig
from hallway_libwebrtc_channel.gathering import Plan
from hallway_libwebrtc_channel.session import LABEL, Session


def _read(description: Description, kind: str) -> RemoteDescription:
    if description.kind != KIND:
        raise BadDescription(f"the peer's description is of kind {description.kind!r}, not {KIND!r}")
    if description.type != kind:
        raise BadDescription(f"the peer sent an {description.type} where an {kind} belongs")
    return read_description(description.sdp, description.type)


def _candidates(description: Description, remote: RemoteDescription, chosen: CandidateFilter) -> list[RemoteCandidate]:
    """The usable candidates, in the SDP and beside it."""
    beside = [one.candidate for one in description.candidates if one.candidate.strip()]
    return chosen.take([*remote.candidates, *beside])


class LibwebrtcDialing(Dialing):
    """See `hallway.interfaces.Dialing`."""

    def __init__(self, session: Session, sdp: str) -> None:
        self.offer = Description(KIND, "offer", sdp)
        self._session: Session | None = session

    async def accept(self, answer: Description) -> Channel:
        """See `Dialing.accept`."""
        session = self._session
        if session is None:
            raise BadDescription("this offer has its answer already, or was given up")
        remote = _read(answer, "answer")
        chosen = CandidateFilter(session.plan.reach)
        candidates = _candidates(answer, remote, chosen)
        channel = LibwebrtcChannel(session, remote, chosen)
        await session.accept(remote, candidates, channel)
        self._session = None
        return channel

    async def aclose(self) -> None:
        """See `Dialing.aclose`."""
        session, self._session = self._session, None
        if session is not None:
            await session.release()


class LibwebrtcConnector(Connector):
    """See `hallway.interfaces.Connector`."""

    def __init__(self, config: LibwebrtcConfig, context: PluginContext) -> None:
        self._config = config
        self._context = context
        self._prepared = False

    async def prepare(self) -> None:
        """See `Connector.prepare`: libwebrtc says something on this loop once. An offer takes milliseconds, so none is kept ready."""
        if self._prepared:
            return
        self._prepared = True
        with contextlib.closing(RTCPeerConnection()) as connection:
            connection.create_data_channel(LABEL)
            await connection.create_offer()

    async def dial(self, policy: IcePolicy) -> Dialing:
        """See `Connector.dial`."""
        session = Session(self._plan(policy))
        try:
            return LibwebrtcDialing(session, await session.offer())
        except BaseException:
            await session.release()
            raise

    async def answer(self, offer: Description, policy: IcePolicy) -> tuple[Description, Channel]:
        """See `Connector.answer`."""
        remote = _read(offer, "offer")
        plan = self._plan(policy)
        chosen = CandidateFilter(plan.reach)
        candidates = _candidates(offer, remote, chosen)
        session = Session(plan)
        channel = LibwebrtcChannel(session, remote, chosen)
        try:
            return Description(KIND, "answer", await session.answer(remote, candidates, channel)), channel
        except BaseException:
            await session.release()
            raise

    async def aclose(self) -> None:
        """See `Connector.aclose`: nothing is kept."""

    def _plan(self, policy: IcePolicy) -> Plan:
        addresses = self._addresses()
        if not addresses:
            raise no_address()
        servers = self._config.ice_servers if policy is IcePolicy.WAN else ()
        return Plan(addresses, Reach.of(policy, addresses), self._context.resolver, self._config.port_range, servers)

    def _addresses(self) -> tuple[InterfaceAddress, ...]:
        try:
            return self._context.interfaces.addresses()
        except OSError as error:
            raise Unreachable(f"the addresses of this device cannot be read: {error}") from error
