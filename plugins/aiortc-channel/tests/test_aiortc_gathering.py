"""Local candidates: the interface policy, the port range, STUN and TURN on real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
from collections.abc import AsyncIterator

import attrs
import pytest
from aioice import stun, turn

from hallway.errors import Unreachable
from hallway.model import Description, DeviceInfo, IcePolicy
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_aiortc_channel import AiortcConfig, AiortcConnector, IceServer, gathering
from hallway_aiortc_channel.ice import PolicedConnection

ONLY_LOOPBACK = InterfacePolicy(allow=("lo",))
CANDIDATE = re.compile(r"a=candidate:\S+ 1 udp \d+ (?P<host>\S+) (?P<port>\d+) typ (?P<type>\w+)")


def offered(description: Description) -> list[tuple[str, int, str]]:
    return [(found["host"], int(found["port"]), found["type"]) for found in CANDIDATE.finditer(description.sdp)]


async def dial(connector: AiortcConnector, policy: IcePolicy = IcePolicy.LAN) -> list[tuple[str, int, str]]:
    dialing = await connector.dial(policy)
    await dialing.aclose()
    return offered(dialing.offer)


async def test_candidates_are_the_policys_addresses(bench):
    addresses = {str(address.ip) for address in InterfacePolicy().addresses()}
    assert {(host, kind) for host, _, kind in await dial(bench.connector())} == {(address, "host") for address in addresses}


async def test_loopback_works_where_there_is_nothing_else(bench):
    connector = bench.connector(interfaces=ONLY_LOOPBACK)
    assert all(ipaddress.ip_address(host).is_loopback for host, _, _ in await dial(connector))
    pair = await bench.connect(connector, bench.connector(interfaces=ONLY_LOOPBACK))
    await pair.offering.send("alone")
    assert await pair.answering.receive() == "alone"


async def test_without_an_address_there_is_no_offer_and_no_answer(bench):
    dialing = await bench.connector().dial(IcePolicy.LAN)
    nowhere = bench.connector(interfaces=InterfacePolicy(allow=("nothing",)))
    await nowhere.prepare()
    with pytest.raises(Unreachable, match="no allowed interface"):
        await nowhere.dial(IcePolicy.LAN)
    with pytest.raises(Unreachable, match="no allowed interface"):
        await nowhere.answer(dialing.offer, IcePolicy.LAN)
    await dialing.aclose()


async def test_ports_come_from_the_range_until_it_is_used_up(bench):
    connector = bench.connector(AiortcConfig(port_range=(50_000, 50_003)), interfaces=ONLY_LOOPBACK)
    addresses = len(ONLY_LOOPBACK.addresses())
    dialings = [await connector.dial(IcePolicy.LAN) for _ in range(4)]
    assert len(offered(dialings[0].offer)) == addresses
    with pytest.raises(Unreachable):
        await connector.dial(IcePolicy.LAN)
    ports = [port for dialing in dialings for host, port, _ in offered(dialing.offer) if host == "127.0.0.1"]
    assert sorted(ports) == [50_000, 50_001, 50_002, 50_003]
    for dialing in dialings:
        await dialing.aclose()


class StunServer(asyncio.DatagramProtocol):
    """Answers with a mapped address; in its silent form it only counts."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent
        self.asked = 0

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        self.asked += 1
        request = stun.parse_message(data)
        response = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.7", 4242)
        if not self.silent:
            self.transport.sendto(bytes(response), addr)


@contextlib.asynccontextmanager
async def serving(server: asyncio.DatagramProtocol) -> AsyncIterator[int]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)


def far(*servers: IceServer) -> AiortcConfig:
    return AiortcConfig(ice_servers=servers)


async def test_a_stun_server_gives_a_reflexive_candidate(bench):
    async with serving(StunServer()) as port:
        connector = bench.connector(far(IceServer(f"stun:127.0.0.1:{port}")), interfaces=ONLY_LOOPBACK)
        assert ("203.0.113.7", 4242, "srflx") in await dial(connector, IcePolicy.WAN)


async def test_no_server_is_asked_on_the_lan(bench):
    server = StunServer()
    async with serving(server) as port:
        connector = bench.connector(far(IceServer(f"stun:127.0.0.1:{port}")), interfaces=ONLY_LOOPBACK)
        await connector.prepare()
        pair = await bench.connect(connector, connector)
        await pair.offering.send("x")
        await pair.answering.receive()
    assert server.asked == 0


async def test_a_silent_server_costs_the_cap_and_no_more(bench, monkeypatch):
    monkeypatch.setattr(gathering, "GATHERING_CAP", 0.05)
    async with serving(StunServer(silent=True)) as port:
        servers = far(IceServer(f"stun:127.0.0.1:{port}"), IceServer(f"turn:127.0.0.1:{port}", "me", "secret"))
        connector = bench.connector(servers, interfaces=ONLY_LOOPBACK)
        assert {kind for _, _, kind in await dial(connector, IcePolicy.WAN)} == {"host"}


class ScriptedResolver(Resolver):
    """Knows one name, refuses another and never answers for the rest."""

    async def resolve(self, host: str, deadline: float) -> str:
        if host == "gone.example":
            raise Unreachable("gone.example does not exist")
        if host == "here.example":
            return "127.0.0.1"
        return await super().resolve(host, deadline)


async def test_the_next_server_is_taken_if_a_name_does_not_resolve(bench):
    async with serving(StunServer()) as port:
        servers = far(IceServer([f"stun:gone.example:{port}", f"stun:here.example:{port}"]))
        context = PluginContext(DeviceInfo("a", "p"), ONLY_LOOPBACK, ScriptedResolver())
        connector = AiortcConnector(servers, context)
        assert "srflx" in {kind for _, _, kind in await dial(connector, IcePolicy.WAN)}


@attrs.define(eq=False)
class Allocation(asyncio.DatagramProtocol):
    """The relay's own socket: what comes in goes to the client's channel."""

    send: object
    channels: dict[int, tuple[str, int]] = attrs.field(factory=dict)

    def datagram_received(self, data: bytes, addr) -> None:
        for number, peer in self.channels.items():
            if peer == addr:
                self.send(number.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data)


class TurnServer:
    """Just enough of RFC 8656 for one client: allocation with long-term credentials, channels, deletion."""

    def __init__(self) -> None:
        self.deaf = False
        self.allocation: Allocation | None = None
        self.relay: asyncio.DatagramTransport | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    def take(self, data: bytes, send) -> None:
        if self.deaf:
            return
        if turn.is_channel_data(data):
            number, size = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
            self.relay.sendto(data[4 : 4 + size], self.allocation.channels[number])
            return
        task = asyncio.ensure_future(self.answer(stun.parse_message(data), send))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def answer(self, request: stun.Message, send) -> None:
        if "USERNAME" not in request.attributes:
            refusal = stun.Message(request.message_method, stun.Class.ERROR, request.transaction_id)
            refusal.attributes.update({"ERROR-CODE": (401, "Unauthorized"), "NONCE": b"nonce", "REALM": "test"})
            send(bytes(refusal))
            return
        response = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
        match request.message_method:
            case stun.Method.ALLOCATE:
                await self.allocate(send)
                response.attributes["LIFETIME"] = 600
                response.attributes["XOR-MAPPED-ADDRESS"] = ("127.0.0.1", 1)
                response.attributes["XOR-RELAYED-ADDRESS"] = self.relay.get_extra_info("sockname")
            case stun.Method.CHANNEL_BIND:
                self.allocation.channels[request.attributes["CHANNEL-NUMBER"]] = request.attributes["XOR-PEER-ADDRESS"]
            case stun.Method.REFRESH:
                self.relay.close()
                response.attributes["LIFETIME"] = 0
        response.add_message_integrity(turn.make_integrity_key("me", "test", "secret"))
        send(bytes(response))

    async def allocate(self, send) -> None:
        self.allocation = Allocation(send)
        loop = asyncio.get_running_loop()
        self.relay, _ = await loop.create_datagram_endpoint(lambda: self.allocation, local_addr=("127.0.0.1", 0))


class TurnOverUdp(asyncio.DatagramProtocol):
    def __init__(self, server: TurnServer) -> None:
        self.server = server

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        self.server.take(data, lambda answer: self.transport.sendto(answer, addr))


class TurnOverTcp(turn.TurnStreamMixin, asyncio.Protocol):
    def __init__(self, server: TurnServer) -> None:
        self.server = server

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        self.server.take(data, lambda answer: self.transport.write(self._padded(answer)))


@contextlib.asynccontextmanager
async def turn_serving(transport: str) -> AsyncIterator[tuple[TurnServer, int]]:
    server = TurnServer()
    if transport == "udp":
        async with serving(TurnOverUdp(server)) as port:
            yield server, port
    else:
        listener = await asyncio.get_running_loop().create_server(lambda: TurnOverTcp(server), "127.0.0.1", 0)
        async with listener:
            yield server, listener.sockets[0].getsockname()[1]
    if server.relay is not None:
        server.relay.close()


def relay_only(description: Description) -> Description:
    kept = [line for line in description.sdp.split("\r\n") if not line.startswith("a=candidate") or "typ relay" in line]
    return attrs.evolve(description, sdp="\r\n".join(kept))


async def relayed_pair(bench, port: int, transport: str, deadline):
    servers = far(IceServer(f"turn:127.0.0.1:{port}?transport={transport}", "me", "secret"))
    dialing = await bench.connector(servers, interfaces=ONLY_LOOPBACK).dial(IcePolicy.WAN)
    assert "relay" in {kind for _, _, kind in offered(dialing.offer)}
    answer, answering = await bench.connector(interfaces=ONLY_LOOPBACK).answer(relay_only(dialing.offer), IcePolicy.WAN)
    hosts = dialing._session.connection._protocols[:]
    for protocol in hosts:
        if protocol.local_candidate.type == "host":
            dialing._session.connection._protocols.remove(protocol)
            await protocol.close()
    offering = await dialing.accept(answer)
    bench.channels += [offering, answering]
    await offering.opened(deadline())
    await answering.opened(deadline())
    return offering, answering


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_turn_server_relays_where_nothing_else_works(bench, deadline, transport):
    async with turn_serving(transport) as (_, port):
        offering, answering = await relayed_pair(bench, port, transport, deadline)
        await offering.send("around the corner")
        assert await answering.receive() == "around the corner"
        await answering.send("and back")
        assert await offering.receive() == "and back"
        await bench.aclose()


async def test_a_turn_server_that_has_died_does_not_hold_up_closing(bench, deadline):
    async with turn_serving("udp") as (server, port):
        offering, _ = await relayed_pair(bench, port, "udp", deadline)
        server.deaf = True
        async with asyncio.timeout_at(deadline()):
            await offering.aclose()


async def test_a_server_may_speak_whatever_came_from_its_address_before_it_was_known(bench):
    connection = PolicedConnection(bench.connector(interfaces=ONLY_LOOPBACK)._plan(IcePolicy.LAN), controlling=True)
    assert not connection.admits("203.0.113.5")
    connection.admit("203.0.113.5")
    assert connection.admits("203.0.113.5")
    await connection.close()
