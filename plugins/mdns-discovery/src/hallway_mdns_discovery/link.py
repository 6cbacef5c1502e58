"""A zeroconf that sends to the link and nowhere else."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Any

from zeroconf import IPVersion, Zeroconf

from hallway.network import Lan
from hallway.network.interfaces import Address
from hallway_mdns_discovery._dns import DNSOutgoing


def is_neighbour(host: str, lan: Lan) -> bool:
    """Whether mDNS may go to ``host``, an address as text: only to what is on the link (RFC 6762 section 11)."""
    ip = _plain(ip_address(host))
    return not lan.forbids(ip) and (ip.is_link_local or lan.on_link(ip))


def _plain(ip: Address) -> Address:
    # A socket of both families names IPv4 senders so (RFC 4291 section 2.5.5.2).
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip


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

    def async_send(self, out: DNSOutgoing, addr: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Send to the group, or to ``addr`` if it is a neighbour."""
        if addr is None or is_neighbour(addr, self.lan):
            super().async_send(out, addr, *args, **kwargs)
