"""aioice's agent under hallway's rules: where candidates come from, whom it talks to, and how soon it checks."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aioice import Candidate, Connection, stun
from aioice.ice import CandidatePair, StunProtocol
from aioice.turn import TurnTransport

from hallway.model import Path
from hallway.protocol.turns import Turn, Turns
from hallway_aiortc_channel import consent
from hallway_aiortc_channel._records import RecordFilter
from hallway_aiortc_channel.consent import Consents
from hallway_aiortc_channel.datagrams import MAX_DATAGRAM, FilteredProtocol
from hallway_aiortc_channel.gathering import COMPONENT, Plan, gather_from_servers, gather_hosts
from hallway_aiortc_channel.repeats import HandshakeRepeats

logger = logging.getLogger(__name__)

PACE = 0.005
"""Seconds between two new checks: the lowest that RFC 8445 section 14.2 allows, and right where a round trip takes 1 ms."""
MAX_LEARNED = 32
"""Remote candidates, signaled and peer-reflexive, beyond which no new source is learned."""
MAX_VERDICTS = 256
MAX_QUEUE = 1024
"""Datagrams that wait for DTLS, at most."""
RELAY_GRACE = 0.25
"""Seconds that a TURN server has to confirm that its allocation is given up."""
TURNS = Turns()
"""The loop is shared by all sessions of this process."""

_DISTANT = frozenset({"srflx", "relay"})
_UNSTARTED = frozenset({CandidatePair.State.WAITING, CandidatePair.State.FROZEN})


class PolicedConnection(Connection):
    """An ICE agent for one session.

    aioice sleeps 20 ms after each check even if that check has ended the matter. Here the checks are paced by a task of their own, so that
    `connect` returns with the event that ends it.
    """

    def __init__(self, plan: Plan, *, controlling: bool) -> None:
        super().__init__(ice_controlling=controlling)
        self._plan = plan
        self._servers: set[str] = set()
        self._verdicts: dict[str, bool] = {}
        self._known: set[tuple[str, int]] = set()
        self._work = asyncio.Event()
        self._pacer: asyncio.Task[None] | None = None
        self._repeats = HandshakeRepeats()
        self._now = asyncio.get_running_loop().time
        self._turn = Turn(TURNS)
        self._is_working = False
        """Whether something that was queued is worked on."""
        self._next: tuple[bytes, int] | None = None
        """What was queued and waits for its turn: aiortc gives up waiting when DTLS's timer is up, and must not lose it for that."""
        self.records = RecordFilter()
        self.read: Callable[[bytes], bool] = lambda _: False
        """Takes a datagram at once, or says that it has to be queued."""
        self.failure = ""
        """What went wrong here with a datagram, which nobody else is to blame for."""
        self.has_room: Callable[[], bool] = lambda: True
        """Whether more may be worked on."""
        self.room: Callable[[], Awaitable[None]] = _at_once
        """Waits until it may."""

    @property
    def path(self) -> Path | None:
        """Where datagrams pass now (RFC 8445 section 8.1.1); it may change while the connection stands."""
        pair = self._nominated.get(COMPONENT)
        if pair is None:
            return None
        remote, types = pair.remote_candidate._network_host, {pair.local_candidate.type, pair.remote_candidate.type}
        on_site = self._plan.reach.lan.holds(ipaddress.ip_address(remote))
        return Path(pair.local_candidate.host, remote, distant=not on_site or not types.isdisjoint(_DISTANT))

    def admits(self, host: str) -> bool:
        """Whether datagrams may pass between us and ``host``."""
        verdict = self._verdicts.get(host)
        if verdict is None:
            verdict = host in self._servers or self._plan.reach.admits(host)
            if len(self._verdicts) < MAX_VERDICTS:
                self._verdicts[host] = verdict
        return verdict

    def admit(self, host: str) -> None:
        """Let datagrams pass between us and the server at ``host``, whatever came from there before it was known for one."""
        self._servers.add(host)
        self._verdicts.pop(host, None)

    def is_known(self, addr: tuple[str, int]) -> bool:
        """Whether ``addr`` is a remote candidate: signaled, or learned from a check that the peer authenticated."""
        if addr in self._known:
            return True
        if any((candidate._network_host, candidate.port) == addr for candidate in self._remote_candidates):
            self._known.add(addr)
            return True
        return False

    def data_received(self, data: bytes, component: int) -> None:
        """Drop it: aioice hands on here, whoever sent it, what looks like STUN and cannot be parsed."""

    def dtls_received(self, data: bytes) -> None:
        """Let DTLS see of one datagram what it may, at once or, if fewer than `MAX_QUEUE` wait, in its turn."""
        waiting = self._queue.qsize()
        if len(data) > MAX_DATAGRAM or waiting >= MAX_QUEUE:
            return
        if (passed := self.records.take(data)) and (waiting or not self._read_now(passed)):
            self._queue.put_nowait((passed, COMPONENT))

    def _read_now(self, data: bytes) -> bool:
        if self._is_working or self._next is not None or not self.has_room() or not self._turn.try_begin(self._now()):
            return False
        try:
            return self.read(data)
        except ConnectionError:
            logger.debug("the connection has ended", exc_info=True)
        except Exception as error:
            logger.exception("a datagram could not be processed")
            self.failure = f"{type(error).__name__}: {error}"
        finally:
            self._turn.end(self._now())
        # As aioice ends it when its socket is gone: whoever receives hears of it.
        self._queue.put_nowait(None)
        return True

    async def recvfrom(self) -> tuple[bytes, int]:
        """Return the next datagram that was queued for DTLS, when `Turns` says.

        aiortc's own task would work through all that waits, up to `MAX_QUEUE` datagrams.

        Raises:
            ConnectionError: no pair is nominated, or the connection was lost.

        """
        if self._is_working:
            self._is_working = False
            self._turn.end(self._now())
        if self._next is None:
            self._next = await super().recvfrom()
        if (pause := self._turn.rest(self._now())) is not None:
            await asyncio.sleep(pause)
        await self.room()
        found, self._next = self._next, None
        self._is_working = True
        self._turn.begin(self._now())
        return found

    async def sendto(self, data: bytes, component: int) -> None:
        """Send a datagram: see `write`."""
        self.write(data)

    def write(self, data: bytes) -> None:
        """Send a datagram; while the connection is being made, copies of it follow.

        Raises:
            ConnectionError: no pair is nominated.

        """
        pair = self._nominated.get(COMPONENT)
        if pair is None:
            raise ConnectionError("no path to the peer is known yet, or any more")
        pair.protocol.transport.sendto(data, pair.remote_addr)
        if self._repeats.connecting:
            self._repeats.take(lambda: pair.protocol.transport.sendto(data, pair.remote_addr))

    def settle(self) -> None:
        """The channel is open: sending anything twice is over."""
        self._repeats.settle()

    async def get_component_candidates(self, component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        """Gather by our plan; what aioice found of the system's addresses does not count."""
        hosts = await gather_hosts(self, self._make_protocol, self._plan)
        return hosts + await gather_from_servers(self, self._make_protocol, self._plan, self.admit)

    def request_received(self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """Take a check, unless it would make us learn more sources than a peer can have."""
        learned = len(self._remote_candidates) + len(self._early_checks)
        if learned < MAX_LEARNED or self.is_known(addr):
            super().request_received(message, addr, protocol)
            self._work.set()

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """Take a check that was authenticated. One of ours that is under way to its source goes out again at once.

        A stateful firewall at the peer drops what comes before the peer itself has sent; now it lets us through, and STUN's timer would
        take half a second more to try (RFC 8445 section 7.3.1.4, pair In-Progress).
        """
        cast("FilteredProtocol", protocol).repeat(addr)
        super().check_incoming(message, addr, protocol)

    async def connect(self) -> None:
        """Check until a pair is nominated; wait without polling while there is nothing to check.

        Raises:
            ConnectionError: no pair works.

        """
        try:
            while not (self._remote_candidates or self._early_checks or self._remote_candidates_end or self._closing):
                await self._more_work()
            await super().connect()
        finally:
            await self._stop_pacer()

    async def query_consent(self) -> None:
        """Ask the peer for its consent, and close when the last answer is too old (RFC 7675 section 5.1)."""
        assert self.remote_password is not None  # aioice asks once it is connected
        key, consents = self.remote_password.encode(), Consents(self._now)
        while (left := consents.left) > 0:
            await asyncio.sleep(min(left, random.uniform(*consent.PAUSE)))
            if (pair := self._nominated.get(COMPONENT)) is not None:
                consents.ask(pair.protocol, self.build_request(pair, nominate=False), pair.remote_addr, key)
        logger.info("the peer does not say any more that it wants what is sent")
        # Or else closing would wait for this task.
        self._query_consent_task = None
        await self.close()

    async def close(self) -> None:
        """Stop, and release the sockets; a TURN server that does not answer costs `RELAY_GRACE` seconds."""
        self._repeats.cancel()
        await self._stop_pacer()
        relays = [protocol.transport for protocol in self._protocols if isinstance(protocol.transport, TurnTransport)]
        await asyncio.gather(*map(_give_up, relays))
        await super().close()

    def _make_protocol(self) -> FilteredProtocol:
        return FilteredProtocol(self)

    def _add_remote_candidate(self, remote_candidate: Candidate, network_host: str) -> None:
        # Names are resolved by now: what they resolve to is the peer's word too.
        if self.admits(network_host):
            super()._add_remote_candidate(remote_candidate, network_host)
            self._work.set()

    def _end_remote_candidates(self) -> None:
        super()._end_remote_candidates()
        self._work.set()

    def _check_periodic(self) -> bool:
        if not self._check_list:
            return super()._check_periodic()
        if self._pacer is None:
            super()._check_periodic()
            self._pacer = asyncio.create_task(self._pace(), name="hallway ICE checks")
        return False

    async def _pace(self) -> None:
        while not self._check_list_done:
            if any(pair.task is None and pair.state in _UNSTARTED for pair in self._check_list):
                super()._check_periodic()
                await asyncio.sleep(PACE)
            else:
                await self._more_work()

    async def _more_work(self) -> None:
        self._work.clear()
        await self._work.wait()

    async def _stop_pacer(self) -> None:
        pacer, self._pacer = self._pacer, None
        if pacer is not None:
            pacer.cancel()
            await asyncio.wait([pacer])


async def _at_once() -> None:
    return


async def _give_up(relay: Any) -> None:
    relay.close()
    closing: asyncio.Task[None] = relay._TurnTransport__close_task
    await asyncio.wait([closing], timeout=RELAY_GRACE)
    leftover = [closing, *relay._TurnTransport__send_tasks]
    for task in leftover:
        task.cancel()
    await asyncio.gather(*leftover, return_exceptions=True)
