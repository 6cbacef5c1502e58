"""Local candidates by hallway's interface policy, and those of the configured servers on a distant path (RFC 8445 section 5.1.1)."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import attrs
from aioice import Candidate, stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol, relayed_candidate

from hallway.errors import NetworkError
from hallway.network import InterfaceAddress, Resolver
from hallway.webrtc.candidates import Reach
from hallway.webrtc.servers import IceServer, ServerAddress
from hallway_aiortc_channel.datagrams import FilteredProtocol

logger = logging.getLogger(__name__)

GATHERING_CAP = 0.45
"""Seconds that the servers have, all together; host candidates need none.

Both ends gather, one after the other, and servers that do not answer must not delay a link by more than 1 s.
"""
COMPONENT = 1
RECEIVE_BUFFER = 1024 * 1024
"""Bytes that a socket may hold for us, if the system allows so much: peers may send bursts."""
MAX_PREFERENCE = 65535

Found = tuple[Candidate, StunProtocol | None]


@attrs.frozen
class Plan:
    """What one session gathers from. ``servers`` are empty on the LAN."""

    addresses: tuple[InterfaceAddress, ...]
    reach: Reach
    resolver: Resolver
    ports: tuple[int, int] | None = None
    servers: tuple[IceServer, ...] = ()

    def choices(self) -> Iterator[int]:
        """The ports to try for one socket, in order; 0 is the system's choice."""
        if self.ports is None:
            return iter((0,))
        low, high = self.ports
        start = random.randint(low, high)
        return iter((*range(start, high + 1), *range(low, start)))

    def wanted(self, scheme: str) -> list[tuple[ServerAddress, IceServer]]:
        """The configured servers of one scheme, in order."""
        return [(address, server) for server in self.servers for address in server.addresses() if address.scheme == scheme]


def _candidate(kind: str, host: str, port: int, preference: int, related: tuple[str, int] | None = None) -> Candidate:
    return Candidate(
        foundation=candidate_foundation(kind, "udp", related[0] if related else host),
        component=COMPONENT,
        transport="udp",
        priority=candidate_priority(COMPONENT, kind, preference),
        host=host,
        port=port,
        type=kind,
        related_address=related[0] if related else None,
        related_port=related[1] if related else None,
    )


async def _bind(factory: Callable[[], FilteredProtocol], host: str, plan: Plan) -> FilteredProtocol | None:
    loop = asyncio.get_running_loop()
    for port in plan.choices():
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            sock.bind((host, port))
            _, protocol = await loop.create_datagram_endpoint(factory, sock=sock)
        except OSError as error:
            sock.close()
            logger.debug("cannot bind %s port %d: %s", host, port, error)
            continue
        except BaseException:
            sock.close()
            raise
        protocol.read_on(sock)
        return protocol
    logger.warning("no port of %s can be bound%s", host, f" in {plan.ports[0]}-{plan.ports[1]}" if plan.ports else "")
    return None


async def gather_hosts(connection: Connection, factory: Callable[[], FilteredProtocol], plan: Plan) -> list[Candidate]:
    """Bind one socket for each address; the connection owns each from its first moment."""
    found = []
    for index, address in enumerate(plan.addresses):
        protocol = await _bind(factory, str(address.ip), plan)
        if protocol is None:
            continue
        host, port = protocol.transport.get_extra_info("sockname")[:2]
        protocol.local_candidate = _candidate("host", host, port, MAX_PREFERENCE - index)
        connection._protocols.append(protocol)
        found.append(protocol.local_candidate)
    return found


async def _first_resolved(
    wanted: list[tuple[ServerAddress, IceServer]], plan: Plan, deadline: float
) -> tuple[ServerAddress, IceServer] | None:
    for address, server in wanted:
        try:
            host = await plan.resolver.resolve(address.host, deadline)
        except NetworkError as error:
            logger.info("ICE server %s is left out: %s", address.host, error)
            continue
        return attrs.evolve(address, host=host), server
    return None


async def _reflexive(protocol: StunProtocol, server: tuple[str, int]) -> Found:
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    response, _ = await protocol.request(request, server)
    mapped = response.attributes.get("XOR-MAPPED-ADDRESS")
    if mapped is None:
        raise ConnectionError("the STUN server's response has no mapped address")
    base = protocol.local_candidate
    return _candidate("srflx", mapped[0], mapped[1], MAX_PREFERENCE, (base.host, base.port)), None


async def _ask_stun(protocols: list[StunProtocol], plan: Plan, admit: Callable[[str], None], deadline: float) -> list[Found]:
    chosen = await _first_resolved(plan.wanted("stun"), plan, deadline)
    if chosen is None:
        return []
    host = chosen[0].host
    admit(host)
    same_family = [protocol for protocol in protocols if (":" in protocol.local_candidate.host) == (":" in host)]
    return await _collect([_reflexive(protocol, (host, chosen[0].port)) for protocol in same_family], deadline)


async def _ask_turn(factory: Callable[[], StunProtocol], plan: Plan, deadline: float) -> list[Found]:
    chosen = await _first_resolved(plan.wanted("turn"), plan, deadline)
    if chosen is None:
        return []
    address, server = chosen
    relayed = relayed_candidate(
        component=COMPONENT,
        hide_related_address=False,
        protocol_factory=factory,
        turn_server=(address.host, address.port),
        turn_username=server.username,
        turn_password=server.credential,
        turn_ssl=False,
        turn_transport=address.transport,
    )
    return await _collect([relayed], deadline)


async def _collect(asked: list[Coroutine[Any, Any, Found]], deadline: float) -> list[Found]:
    """What came until the deadline; the rest is cancelled, and gone when this returns."""
    if not asked:
        return []
    tasks = [asyncio.ensure_future(one) for one in asked]
    try:
        await asyncio.wait(tasks, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            logger.info("an ICE server gave no candidate: %r", result)
    return [result for result in results if not isinstance(result, BaseException)]


async def gather_from_servers(
    connection: Connection, factory: Callable[[], StunProtocol], plan: Plan, admit: Callable[[str], None]
) -> list[Candidate]:
    """Ask the first STUN and the first TURN server whose names resolve. Takes `GATHERING_CAP` seconds at most."""
    if not plan.servers:
        return []
    deadline = asyncio.get_running_loop().time() + GATHERING_CAP
    hosts = list(connection._protocols)
    reflexive, relayed = await asyncio.gather(_ask_stun(hosts, plan, admit, deadline), _ask_turn(factory, plan, deadline))
    connection._protocols += [protocol for _, protocol in relayed if protocol is not None]
    return [candidate for candidate, _ in (*reflexive, *relayed)]
