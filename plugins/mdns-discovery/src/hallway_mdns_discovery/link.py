"""A zeroconf that sends to the link and nowhere else, and reads as fast as others send."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from zeroconf import IPVersion, Zeroconf

from hallway.network import Lan
from hallway.network.backlog import waiting
from hallway.network.interfaces import Address
from hallway_mdns_discovery._dns import DNSOutgoing

LARGEST = 9000
"""Bytes of an mDNS packet, its headers included, at most (RFC 6762 section 17)."""
RECEIVE_BUFFER = 1024 * 1024
"""Bytes that a socket may hold for us, if the system allows so much: what peers say must not be lost because a stranger says much."""


def is_neighbour(host: str, lan: Lan) -> bool:
    """Whether mDNS may go to ``host``, an address as text: only to what is on the link (RFC 6762 section 11)."""
    ip = _plain(ip_address(host))
    return not lan.forbids(ip) and (ip.is_link_local or lan.on_link(ip))


def _plain(ip: Address) -> Address:
    # A socket of both families names IPv4 senders so (RFC 4291 section 2.5.5.2).
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip


class _Reader(asyncio.DatagramProtocol):
    """Gives zeroconf's ``listener`` what comes, and with each datagram those that wait behind it."""

    def __init__(self, listener: asyncio.DatagramProtocol, transport: asyncio.DatagramTransport) -> None:
        self._listener = listener
        self._transport = transport
        # asyncio shows its own socket without the methods that read.
        self._socket: socket.socket = transport.get_extra_info("socket").dup()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._listener.datagram_received(data, addr)
        for more, sender in waiting(self._socket, LARGEST):
            if self._transport.is_closing():
                return
            self._listener.datagram_received(more, sender)

    def error_received(self, exc: Exception) -> None:
        self._listener.error_received(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._socket.close()
        self._listener.connection_lost(exc)


class LinkZeroconf(Zeroconf):
    """Answers by unicast those that are on the link: a query's source is whatever its sender wrote there.

    ``lan`` may be set anew when the interfaces change.
    """

    def __init__(self, interfaces: Any, ip_version: IPVersion, lan: Lan) -> None:
        super().__init__(interfaces=interfaces, ip_version=ip_version)
        self.lan = lan

    async def use(self, interfaces: list[Any], ip_version: IPVersion) -> None:
        """Have sockets for these interfaces, and for no others. Announces nothing.

        Raises:
            OSError, RuntimeError: sockets cannot be had now.

        """
        # Zeroconf.async_update_interfaces would spend half a second on announcements, which are ours to make.
        await self.engine.async_update_interfaces(interfaces, ip_version, False)
        self.read_ahead()

    def read_ahead(self) -> None:
        """See that what comes in quick succession is read at once, at every socket that there is now."""
        for reader in self.engine.readers:
            transport = reader.transport
            listener = cast("asyncio.DatagramProtocol", transport.get_protocol())
            if not isinstance(listener, _Reader):
                transport.set_protocol(_Reader(listener, transport))

    def async_send(self, out: DNSOutgoing, addr: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Send to the group, or to ``addr`` if it is a neighbour."""
        if addr is None or is_neighbour(addr, self.lan):
            super().async_send(out, addr, *args, **kwargs)
