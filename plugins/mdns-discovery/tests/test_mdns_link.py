"""What leaves a device by unicast stays on the link."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest
from zeroconf import ServiceInfo

from hallway.network import InterfaceAddress, Lan
from hallway_mdns_discovery._dns import DNSOutgoing, DNSQuestion
from hallway_mdns_discovery._records import SERVICE_TYPE
from hallway_mdns_discovery.link import is_neighbour

LAN = Lan.of([InterfaceAddress("eth0", 2, ipaddress.ip_address("198.51.100.4"), ipaddress.ip_network("198.51.100.0/24"))])


@pytest.mark.parametrize("host", ["198.51.100.9", "::ffff:198.51.100.9", "fe80::1", "fe80::1%eth0"])
def test_a_host_on_the_link_is_a_neighbour(host: str):
    assert is_neighbour(host, LAN)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "::ffff:8.8.8.8", "2001:db8::1", "10.0.0.1", "127.0.0.1", "198.51.100.255", "255.255.255.255", "224.0.0.251"]
)
def test_nothing_else_is_one(host: str):
    assert not is_neighbour(host, LAN)


@pytest.mark.parametrize("port", [5353, 1234])
@pytest.mark.parametrize(("source", "replies"), [("8.8.8.8", False), ("127.0.0.9", True)])
async def test_a_query_is_answered_by_unicast_only_on_the_link(site, port: int, source: str, replies: bool):
    name = site.name()
    discovery, _ = await site.device(name)
    _, watcher = await site.device(site.name())
    await watcher.sees(name)
    protocol = discovery._multicast.zeroconf.engine.protocols[0]
    protocol.transport = spy = Spy(protocol.transport)
    question = DNSQuestion(SERVICE_TYPE, 12, 1)
    question.unicast = True
    out = DNSOutgoing(0)
    out.add_question(question)
    protocol.datagram_received(out.packets()[0], (source, port))
    assert [host for host in spy.hosts if host == source] == [source] * replies


class Spy:
    """A transport of zeroconf that notes where it sends to."""

    def __init__(self, wrapped) -> None:
        self.hosts: list[str] = []
        self.is_ipv6, self.fileno, self.sock_name = wrapped.is_ipv6, wrapped.fileno, wrapped.sock_name
        self.transport = self

    def sendto(self, data: bytes, addr: tuple[str, int]) -> None:
        self.hosts.append(addr[0])


@pytest.mark.parametrize("moved", [False, True], ids=["from the start", "after a move"])
async def test_what_comes_in_quick_succession_is_read_within_a_few_turns(site, moved: bool):
    """However long each turn of the loop takes: others may send faster than this device turns."""
    discovery, watcher = await site.device(site.name())
    if moved:
        await discovery._move(site.interfaces.addresses())
    zeroconf = discovery._multicast.zeroconf
    packets = []
    for number in range(30):
        name, host = f"fast{number}.{SERVICE_TYPE}", f"fast{number}.local."
        properties = {"deviceId": f"fast{number}", "propertyId": site.property_id}
        info = ServiceInfo(SERVICE_TYPE, name, 8090, properties=properties, server=host, parsed_addresses=["127.0.0.9"])
        packets += zeroconf.generate_service_broadcast(info, None).packets()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        for packet in packets:
            sender.sendto(packet, ("224.0.0.251", 5353))
    for _ in range(5):
        await asyncio.sleep(0)

    assert {f"fast{number}" for number in range(30)} <= watcher.peers.keys()
