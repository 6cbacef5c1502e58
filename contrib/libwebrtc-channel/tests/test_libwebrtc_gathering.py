"""Local candidates: the interface policy, the port range and STUN, on real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import re
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hallway.errors import Unreachable
from hallway.model import Description, IcePolicy
from hallway.network import InterfacePolicy, Resolver
from hallway_libwebrtc_channel import IceServer, LibwebrtcConfig, session
from hallway_libwebrtc_channel.ports import one_port

ONLY_LOOPBACK = InterfacePolicy(allow=("lo",))
CANDIDATE = re.compile(r"a=candidate:\S+ 1 udp \d+ (?P<host>\S+) (?P<port>\d+) typ (?P<type>\w+)")
COOKIE = 0x2112A442


def offered(description: Description) -> list[tuple[str, int, str]]:
    return [(found["host"], int(found["port"]), found["type"]) for found in CANDIDATE.finditer(description.sdp)]


async def dial(connector, policy: IcePolicy = IcePolicy.LAN) -> list[tuple[str, int, str]]:
    dialing = await connector.dial(policy)
    await dialing.aclose()
    return offered(dialing.offer)


def sockets() -> set[str]:
    """The addresses that UDP sockets of this process are bound to, as Linux tells them."""
    own = {os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")}
    rows = [line.split() for name in ("udp", "udp6") for line in Path("/proc/self/net", name).read_text().splitlines()[1:]]
    return {address(row[1].partition(":")[0]) for row in rows if f"socket:[{row[9]}]" in own}


def address(text: str) -> str:
    words = [struct.pack("=I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


async def test_candidates_are_the_policys_addresses(bench):
    addresses = {str(one.ip) for one in InterfacePolicy().addresses()}
    assert {(host, kind) for host, _, kind in await dial(bench.connector())} == {(one, "host") for one in addresses}


@pytest.mark.skipif(not os.path.exists("/proc/self/net/udp"), reason="needs Linux's list of sockets")
@pytest.mark.parametrize("policy", [InterfacePolicy(), ONLY_LOOPBACK], ids=["network", "loopback"])
async def test_no_socket_is_bound_to_an_address_that_is_not_allowed(bench, policy):
    before = sockets()
    dialing = await bench.connector(interfaces=policy).dial(IcePolicy.LAN)
    assert sockets() - before <= {str(one.ip) for one in policy.addresses()}
    assert sockets() - before
    await dialing.aclose()


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
    connector = bench.connector(LibwebrtcConfig(port_range=(50_000, 50_003)), interfaces=ONLY_LOOPBACK)
    dialings = [await connector.dial(IcePolicy.LAN) for _ in range(4)]
    with pytest.raises(Unreachable, match="no UDP port is free"):
        await connector.dial(IcePolicy.LAN)
    ports = [port for dialing in dialings for host, port, _ in offered(dialing.offer) if host == "127.0.0.1"]
    assert sorted(ports) == [50_000, 50_001, 50_002, 50_003]
    for dialing in dialings:
        await dialing.aclose()


def test_the_port_is_free_where_it_is_allowed_and_taken_elsewhere():
    everywhere = InterfacePolicy(deny=()).addresses()
    denied = [one for one in everywhere if one.ip.version == 4]
    with one_port(ONLY_LOOPBACK.addresses(), None) as port, socket.socket(type=socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", port))
        for one in denied:
            with socket.socket(type=socket.SOCK_DGRAM) as other, pytest.raises(OSError, match="in use"):
                other.bind((str(one.ip), port))


class StunServer(asyncio.DatagramProtocol):
    """Answers with a mapped address (RFC 8489 section 14.2); in its silent form it only counts."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent
        self.asked = 0

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        self.asked += 1
        mapped = struct.pack("!BBH4s", 0, 1, 4242 ^ (COOKIE >> 16), (int(ipaddress.ip_address("203.0.113.7")) ^ COOKIE).to_bytes(4, "big"))
        if not self.silent:
            self.transport.sendto(struct.pack("!HHI", 0x0101, 12, COOKIE) + data[8:20] + struct.pack("!HH", 0x0020, 8) + mapped, addr)


@contextlib.asynccontextmanager
async def serving(server: StunServer) -> AsyncIterator[int]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)


def far(*servers: IceServer) -> LibwebrtcConfig:
    return LibwebrtcConfig(ice_servers=servers)


async def test_a_stun_server_gives_a_reflexive_candidate(bench):
    async with serving(StunServer()) as port:
        connector = bench.connector(far(IceServer(f"stun:127.0.0.1:{port}")), interfaces=ONLY_LOOPBACK)
        assert ("203.0.113.7", 4242, "srflx") in await dial(connector, IcePolicy.WAN)


async def test_no_server_is_asked_on_the_lan(bench):
    server = StunServer()
    async with serving(server) as port:
        connector = bench.connector(far(IceServer(f"stun:127.0.0.1:{port}")), interfaces=ONLY_LOOPBACK)
        pair = await bench.connect(connector, connector)
        await pair.offering.send("x")
        await pair.answering.receive()
    assert server.asked == 0


async def test_a_silent_server_costs_the_cap_and_no_more(bench, monkeypatch):
    monkeypatch.setattr(session, "GATHERING_CAP", 0.05)
    server = StunServer(silent=True)
    async with serving(server) as port:
        servers = far(IceServer(f"stun:127.0.0.1:{port}"), IceServer(f"turn:127.0.0.1:{port}", "me", "secret"))
        connector = bench.connector(servers, interfaces=ONLY_LOOPBACK)
        assert {kind for _, _, kind in await dial(connector, IcePolicy.WAN)} == {"host"}
    assert server.asked


class ScriptedResolver(Resolver):
    """Knows one name and refuses another."""

    async def resolve(self, host: str, deadline: float) -> str:
        if host == "gone.example":
            raise Unreachable("gone.example does not exist")
        if host == "here.example":
            return "127.0.0.1"
        return await super().resolve(host, deadline)


async def test_the_next_server_is_taken_if_a_name_does_not_resolve(bench):
    async with serving(StunServer()) as port:
        servers = far(IceServer([f"stun:gone.example:{port}", f"stun:here.example:{port}"]))
        connector = bench.connector(servers, interfaces=ONLY_LOOPBACK, resolver=ScriptedResolver())
        assert "srflx" in {kind for _, _, kind in await dial(connector, IcePolicy.WAN)}
