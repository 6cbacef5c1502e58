"""Which addresses are of this LAN: one definition for what discovery believes, what HTTP asks and what ICE checks. Pure.

Every address of a peer comes from the network, and whoever sent it makes this device send to it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Self

import attrs

from hallway.network.interfaces import Address, InterfaceAddress, Network

SITE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7")))
"""RFC 1918, RFC 3927 and RFC 4193: what no router forwards to the internet. The carrier's 100.64.0.0/10 (RFC 6598) is not a site's."""


def is_plain(ip: Address) -> bool:
    """Whether ``ip`` is a unicast address that needs no scope and hides no IPv4 address: what a URL or an ICE candidate can carry."""
    if ip.is_multicast or ip.is_unspecified:
        return False
    return ip.version == 4 or not (ip.is_link_local or ip.ipv4_mapped)


@attrs.frozen
class Lan:
    """What this device's addresses reach without leaving the site, as it was when they were read.

    ``loopback_only``: they are loopback addresses, so every peer is on this machine.
    """

    networks: tuple[Network, ...]
    loopback_only: bool

    @classmethod
    def of(cls, addresses: Iterable[InterfaceAddress]) -> Self:
        """The LAN around ``addresses`` (`InterfacePolicy.addresses`)."""
        listed = tuple(addresses)
        loopback_only = bool(listed) and all(address.ip.is_loopback for address in listed)
        return cls(tuple({address.network: None for address in listed}), loopback_only)

    def on_link(self, ip: Address) -> bool:
        """Whether ``ip`` is reached without a router."""
        return any(ip in network for network in self.networks)

    def forbids(self, ip: Address) -> bool:
        """Whether no honest peer can be at ``ip``: multicast, broadcast, unspecified, or loopback where there is a network."""
        if ip.is_loopback:
            return not self.loopback_only
        return ip.is_multicast or ip.is_unspecified or self._is_broadcast(ip)

    def holds(self, ip: Address) -> bool:
        """Whether a peer of this LAN can be at ``ip``: on link, or in a range that only sites use."""
        if self.forbids(ip) or not is_plain(ip):
            return False
        return ip.is_loopback or self.on_link(ip) or any(ip in network for network in SITE)

    def _is_broadcast(self, ip: Address) -> bool:
        if ip == ipaddress.IPv4Address("255.255.255.255"):
            return True
        return ip.version == 4 and any(network.prefixlen < 31 and ip == network.broadcast_address for network in self.networks)
