"""The resolver against a real DNS server on loopback that answers, refuses, lies or says nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from hallway.errors import DeadlineExceeded, Unreachable
from hallway.network import Resolver

ZONE = {
    ("here.test.", "A"): ["10.0.0.9"],
    ("both.test.", "A"): ["10.0.0.9"],
    ("both.test.", "AAAA"): ["fd00::9"],
    ("six.test.", "AAAA"): ["fd00::9"],
}
NAMES = {name for name, _ in ZONE} | {"empty.test."}


class DnsServer(asyncio.DatagramProtocol):
    """Answers from `ZONE`; says nothing about ``silent.test``, and nonsense about ``garbage.test``."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name, family = query.question[0].name.to_text(), query.question[0].rdtype.name
        self.asked.append(f"{name} {family}")
        if name == "garbage.test.":
            self.transport.sendto(data[:2] + b"\xff" * 20, sender)
        elif name != "silent.test.":
            self.transport.sendto(self.response(query, name, family).to_wire(), sender)

    def response(self, query: dns.message.Message, name: str, family: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        if name == "failing.test.":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name not in NAMES:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif addresses := ZONE.get((name, family)):
            response.answer.append(dns.rrset.from_text(name, 60, "IN", family, *addresses))
        return response


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DnsServer]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(DnsServer, local_addr=("127.0.0.1", 0))
    system = dns.asyncresolver.Resolver(configure=False)
    system.nameservers, system.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    monkeypatch.setattr(dns.asyncresolver, "Resolver", lambda: system)
    yield server
    transport.close()


def soon(seconds: float = 10.0) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest.mark.parametrize(("host", "address"), [("here.test", "10.0.0.9"), ("both.test", "10.0.0.9"), ("six.test", "fd00::9")])
async def test_a_name_becomes_an_ipv4_address_or_else_an_ipv6_one(server, host, address):
    assert await Resolver().resolve(host, soon()) == address


@pytest.mark.parametrize("host", ["10.0.0.7", "fd00::7", "::1", "127.0.0.1"])
async def test_an_address_is_returned_as_it_is_and_nobody_is_asked(server, host):
    assert await Resolver().resolve(host, soon()) == host
    assert server.asked == []


@pytest.mark.parametrize("host", ["nobody.test", "empty.test", "failing.test", "a..b", "x" * 64, "y." * 200])
async def test_a_name_without_an_address_is_unreachable(server, host):
    with pytest.raises(Unreachable, match=r"cannot be resolved|no address"):
        await Resolver().resolve(host, soon())


@pytest.mark.parametrize("host", ["silent.test", "garbage.test"])
async def test_a_black_hole_ends_at_the_deadline(server, host):
    with pytest.raises((DeadlineExceeded, Unreachable)):
        await Resolver().resolve(host, soon(0.2))


async def test_a_server_that_says_nothing_is_a_deadline_exceeded(server):
    with pytest.raises(DeadlineExceeded, match=r"silent\.test"):
        await Resolver().resolve("silent.test", soon(0.1))


async def test_a_look_up_in_a_black_hole_is_cancelled_at_once_and_holds_up_no_other(server):
    resolver = Resolver()
    stuck = asyncio.create_task(resolver.resolve("silent.test", soon(60)))
    assert await resolver.resolve("here.test", soon()) == "10.0.0.9"
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck


async def test_no_thread_is_used(server):
    before = threading.active_count()
    await asyncio.gather(*(Resolver().resolve("here.test", soon()) for _ in range(20)))
    with pytest.raises(DeadlineExceeded):
        await Resolver().resolve("silent.test", soon(0.05))
    assert threading.active_count() == before


async def test_a_machine_without_a_dns_server_reaches_no_name(monkeypatch):
    def unconfigured() -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.asyncresolver, "Resolver", unconfigured)
    with pytest.raises(Unreachable):
        await Resolver().resolve("here.test", soon())


async def test_a_refusing_server_does_not_hold_up_beyond_the_deadline(monkeypatch):
    system = dns.asyncresolver.Resolver(configure=False)
    system.nameservers, system.port = ["127.0.0.1"], 9
    monkeypatch.setattr(dns.asyncresolver, "Resolver", lambda: system)
    with pytest.raises((Unreachable, DeadlineExceeded)):
        await Resolver().resolve("here.test", soon(0.3))
