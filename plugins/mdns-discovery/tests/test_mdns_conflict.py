from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from hallway_mdns_discovery import advertiser


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


@pytest.mark.parametrize("epochs", [("aaa", "zzz"), ("zzz", "aaa")])
async def test_of_two_that_take_a_name_at_once_the_later_text_keeps_it(site, logged, epochs: tuple[str, str]):
    name = site.name()
    _, watcher = await site.device(site.name())
    await asyncio.gather(*(site.device(name, 8090 + n, epoch=epoch) for n, epoch in enumerate(epochs)))
    await logged.until("others do not see this one")
    await watcher.until(lambda peers: name in peers and peers[name].epoch == "zzz")
