from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from zeroconf import ServiceInfo

from hallway_mdns_discovery import advertiser
from hallway_mdns_discovery._conflict import SIGNS, SIGNS_FADE, Credit, Rival
from hallway_mdns_discovery._dns import DNSOutgoing
from hallway_mdns_discovery._records import SERVICE_TYPE


class Sniffer(asyncio.DatagramProtocol):
    """Counts the packets on the loopback link that name a device."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()
        self.packets = 0

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.packets += self.name in data


async def sniff(name: str) -> tuple[asyncio.DatagramTransport, Sniffer]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("224.0.0.251", 5353))
    group = struct.pack("4s4s", socket.inet_aton("224.0.0.251"), socket.inet_aton("127.0.0.1"))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    return await asyncio.get_running_loop().create_datagram_endpoint(lambda: Sniffer(name), sock=sock)


@pytest.mark.attack("A17")
async def test_a_name_that_is_taken_is_left_to_its_holder(site, logged):
    name, friend = site.name(), site.name()
    _, watcher = await site.device(site.name())
    await site.device(name, 8090, epoch="first")
    await watcher.sees(name)
    transport, sniffer = await sniff(name)
    second, lonely = await site.device(name, 8091, epoch="second")
    message = await logged.until(name)
    assert "127.0.0.1 port 8090" in message
    await site.device(friend)
    await lonely.sees(friend)
    await watcher.sees(friend)
    transport.close()
    assert watcher.peers[name].epoch == "first"
    assert sniffer.packets <= 20
    assert len(logged.messages) == 1
    assert second._advertiser is not None
    assert not second._advertiser.holds


async def test_a_name_is_taken_over_when_its_holder_leaves(site, logged):
    name = site.name()
    _, watcher = await site.device(site.name())
    first, _ = await site.device(name, 8090, epoch="first")
    await watcher.sees(name)
    await site.device(name, 8091, epoch="second")
    await logged.until(name)
    await first.aclose()
    await watcher.until(lambda peers: name in peers and peers[name].epoch == "second")


async def test_a_name_is_tried_again_after_a_while(site, logged, monkeypatch: pytest.MonkeyPatch):
    name = site.name()
    monkeypatch.setattr(advertiser, "RETRY", (0.01, 0.02))
    _, watcher = await site.device(site.name())
    first, _ = await site.device(name, 8090, epoch="first")
    await watcher.sees(name)
    await site.device(name, 8091, epoch="second")
    await logged.until(name)
    assert first._advertiser is not None
    assert first._advertiser._held is not None
    first._advertiser._zeroconf.registry.async_remove(first._advertiser._held)
    first._advertiser._held = None
    await first.aclose()
    await watcher.until(lambda peers: peers[name].epoch == "second")
    assert len(logged.messages) == 1


def claim(name: str, number: int) -> bytes:
    """An announcement of ``name`` with records that outrank every device's."""
    info = ServiceInfo(
        SERVICE_TYPE,
        f"{name}.{SERVICE_TYPE}",
        9000 + number,
        properties={"~": f"{number:0200}"},
        server=f"h{number}.local.",
        parsed_addresses=["127.0.0.9"],
    )
    out = DNSOutgoing(0x8400)
    out.add_answer_at_time(info.dns_service(), 0)
    out.add_answer_at_time(info.dns_text(), 0)
    return out.packets()[0]


def hear(discovery, packet: bytes) -> None:
    discovery._multicast.zeroconf.engine.protocols[0].datagram_received(packet, ("127.0.0.9", 5353))


async def test_a_name_is_kept_from_claims_that_change_all_the_time(site, logged):
    name = site.name()
    discovery, _ = await site.device(name)
    _, watcher = await site.device(site.name())
    await watcher.sees(name)
    for number in range(200):
        hear(discovery, claim(name, number))
    await logged.until("again and again")
    async with asyncio.timeout(20):
        while not discovery._advertiser.holds:
            await asyncio.sleep(0.01)
    for number in range(200, 400):
        hear(discovery, claim(name, number))
    assert discovery._advertiser.holds
    _, late = await site.device(site.name())
    await late.sees(name)
    assert len(logged.messages) <= 2


async def test_a_device_starts_under_claims_of_its_name_that_change_all_the_time(site, logged):
    name = site.name()
    discovery = site.make(name)
    await discovery.start(site.watcher())
    await discovery.advertise(("http://127.0.0.1:8090",))
    number = 0
    async with asyncio.timeout(20):
        while not discovery._advertiser.holds:
            hear(discovery, claim(name, number := number + 1))
            await asyncio.sleep(0.02)


def test_a_rival_that_changes_or_does_not_defend_the_name_loses_credit_for_a_while():
    credit = Credit()
    for number in range(SIGNS + 1):
        assert not credit.is_lost(number)
        credit.hear(Rival("here", 0, b"text %d" % number), number)
    assert credit.is_lost(SIGNS)
    assert not credit.is_lost(SIGNS + SIGNS_FADE)
    credit = Credit()
    for now in range(SIGNS):
        credit.undefended(now)
    assert credit.is_lost(SIGNS)


def test_a_rival_that_stays_the_same_keeps_its_credit():
    credit = Credit()
    for now in range(100):
        credit.hear(Rival("here", 80 * (now % 2), b"text" * (now % 3 % 2)), now / 100)
    assert not credit.is_lost(1)


@pytest.mark.parametrize("epochs", [("aaa", "zzz"), ("zzz", "aaa")])
async def test_of_two_that_take_a_name_at_once_the_later_text_keeps_it(site, logged, epochs: tuple[str, str]):
    name = site.name()
    _, watcher = await site.device(site.name())
    rivals = [site.make(name, epoch=epoch) for epoch in epochs]
    for rival in rivals:
        await rival.start(site.watcher())
    # Only while both probe for the name the later text wins it (RFC 6762 section 8.2).
    await asyncio.gather(*(rival.advertise((f"http://127.0.0.1:{8090 + number}",)) for number, rival in enumerate(rivals)))
    await logged.until("others do not see this one")
    await watcher.until(lambda peers: name in peers and peers[name].epoch == "zzz")
