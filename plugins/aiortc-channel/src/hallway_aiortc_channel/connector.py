"""The connector: makes channels by offer and answer, with one offer ready ahead of time."""

from __future__ import annotations

import asyncio
import logging

import attrs

from hallway.errors import BadDescription, NetworkError, Unreachable
from hallway.interfaces import Channel, Connector, Dialing
from hallway.model import Description, IcePolicy
from hallway.network import InterfaceAddress
from hallway.plugins import PluginContext
from hallway.webrtc.candidates import CandidateFilter, Reach, RemoteCandidate
from hallway.webrtc.endings import no_address
from hallway.webrtc.sdp import RemoteDescription, answer_setup, read_description
from hallway_aiortc_channel.channel import KIND, AiortcChannel
from hallway_aiortc_channel.config import AiortcConfig
from hallway_aiortc_channel.gathering import Plan
from hallway_aiortc_channel.rehearsal import rehearse
from hallway_aiortc_channel.session import Session

logger = logging.getLogger(__name__)

MAX_AGE = 300.0
"""Seconds after which a prepared offer is stale: its certificate and sockets should not outlive the site's habits."""


@attrs.frozen
class _Prepared:
    session: Session
    made_at: float


def _read(description: Description, kind: str) -> RemoteDescription:
    if description.kind != KIND:
        raise BadDescription(f"the peer's description is of kind {description.kind!r}, not {KIND!r}")
    if description.type != kind:
        raise BadDescription(f"the peer sent an {description.type} where an {kind} belongs")
    return read_description(description.sdp, description.type)


def _candidates(description: Description, remote: RemoteDescription, chosen: CandidateFilter) -> tuple[list[RemoteCandidate], bool]:
    """The usable candidates, in the SDP and beside it, and whether no more will come."""
    beside = [one.candidate for one in description.candidates if one.candidate.strip()]
    complete = remote.complete or len(beside) < len(description.candidates)
    return chosen.take([*remote.candidates, *beside]), complete


class AiortcDialing(Dialing):
    """See `hallway.interfaces.Dialing`."""

    def __init__(self, session: Session) -> None:
        self.offer = Description(KIND, "offer", session.describe("actpass"))
        self._session: Session | None = session

    async def accept(self, answer: Description) -> Channel:
        """See `Dialing.accept`."""
        if self._session is None:
            raise BadDescription("this offer has its answer already, or was given up")
        remote = _read(answer, "answer")
        chosen = CandidateFilter(self._session.plan.reach)
        candidates, complete = _candidates(answer, remote, chosen)
        session, self._session = self._session, None
        channel = AiortcChannel(session, remote, chosen)
        session.add_candidates(candidates, complete=complete)
        channel.begin(remote, answer_setup(remote.setup))
        return channel

    async def aclose(self) -> None:
        """See `Dialing.aclose`."""
        session, self._session = self._session, None
        if session is not None:
            await session.release()


class AiortcConnector(Connector):
    """See `hallway.interfaces.Connector`."""

    def __init__(self, config: AiortcConfig, context: PluginContext) -> None:
        self._config = config
        self._context = context
        self._prepared: _Prepared | None = None
        self._discarding: set[asyncio.Task[None]] = set()
        self._rehearsed = False
        self._preparing = asyncio.Lock()
        self._closed = False

    async def prepare(self) -> None:
        """See `Connector.prepare`: warms every code path once, then keeps one offer for the LAN ready."""
        async with self._preparing:
            if not self._rehearsed:
                await rehearse(self._context.resolver)
                self._rehearsed = True
            try:
                await self._prepare_offer()
            except NetworkError as error:
                logger.debug("no offer can be prepared: %s", error)

    async def dial(self, policy: IcePolicy) -> Dialing:
        """See `Connector.dial`."""
        if policy is IcePolicy.LAN and self._usable() and self._prepared is not None:
            prepared, self._prepared = self._prepared, None
            return AiortcDialing(prepared.session)
        return AiortcDialing(await self._gathered(policy, offerer=True))

    async def answer(self, offer: Description, policy: IcePolicy) -> tuple[Description, Channel]:
        """See `Connector.answer`."""
        remote = _read(offer, "offer")
        plan = self._plan(policy)
        chosen = CandidateFilter(plan.reach)
        candidates, complete = _candidates(offer, remote, chosen)
        session = await _gather(Session(plan, offerer=False))
        setup = answer_setup(remote.setup)
        answer = Description(KIND, "answer", session.describe(setup, mid=remote.mid, bundled=remote.bundled))
        channel = AiortcChannel(session, remote, chosen)
        session.add_candidates(candidates, complete=complete)
        channel.begin(remote, setup)
        return answer, channel

    async def aclose(self) -> None:
        """See `Connector.aclose`."""
        self._closed = True
        self._discard()
        if self._discarding:
            await asyncio.wait(self._discarding)

    def _addresses(self) -> tuple[InterfaceAddress, ...]:
        try:
            return self._context.interfaces.addresses()
        except OSError as error:
            raise Unreachable(f"the addresses of this device cannot be read: {error}") from error

    def _plan(self, policy: IcePolicy) -> Plan:
        addresses = self._addresses()
        if not addresses:
            raise no_address()
        servers = self._config.ice_servers if policy is IcePolicy.WAN else ()
        return Plan(addresses, Reach.of(policy, addresses), self._context.resolver, self._config.port_range, servers)

    async def _prepare_offer(self) -> None:
        if self._usable():
            return
        self._discard()
        if not self._closed:
            self._keep(await self._gathered(IcePolicy.LAN, offerer=True))

    def _keep(self, session: Session) -> None:
        self._prepared = _Prepared(session, asyncio.get_running_loop().time())
        if self._closed:
            self._discard()

    async def _gathered(self, policy: IcePolicy, *, offerer: bool) -> Session:
        return await _gather(Session(self._plan(policy), offerer=offerer))

    def _usable(self) -> bool:
        """Whether the prepared offer still says what a new one would say."""
        prepared = self._prepared
        if prepared is None or asyncio.get_running_loop().time() - prepared.made_at > MAX_AGE:
            return False
        return set(prepared.session.plan.addresses) == set(self._addresses())

    def _discard(self) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            task = asyncio.get_running_loop().create_task(prepared.session.release(), name="hallway discard")
            self._discarding.add(task)
            task.add_done_callback(self._discarding.discard)


async def _gather(session: Session) -> Session:
    try:
        await session.gather()
    except BaseException:
        await session.release()
        raise
    return session
