"""Which network interfaces hallway uses: one policy for mDNS, HTTP and ICE, so that they never disagree."""

from __future__ import annotations

import ipaddress
from fnmatch import fnmatchcase

import attrs
import ifaddr

from hallway.network import readiness

DENIED_BY_DEFAULT = (
    "docker*", "br-*", "veth*", "podman*", "cni*", "lxc*", "lxdbr*", "virbr*", "vnet*", "vmnet*", "vboxnet*",
    "tun*", "tap*", "wg*", "utun*", "tailscale*", "zt*", "ppp*",
)  # fmt: skip
"""Container, VM and VPN interfaces: what they reach is not this site."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@attrs.frozen
class InterfaceAddress:
    """One address of one allowed interface; ``network`` is the prefix that is on its link."""

    interface: str
    index: int
    ip: Address
    network: Network


def _allowed(name: str, allow: tuple[str, ...], deny: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob) for glob in allow) and not any(fnmatchcase(name, glob) for glob in deny)


def _usable(ip: Address) -> bool:
    # A link-local IPv6 address needs a scope, which ICE candidates cannot carry.
    return not (ip.is_multicast or ip.is_unspecified or (ip.version == 6 and ip.is_link_local))


@attrs.frozen
class InterfacePolicy:
    """Allow and deny globs over interface names. No default route is needed.

    On Linux an interface that is switched off or has no carrier has no address to use, nor does IPv6 while it looks for duplicates.
    Loopback counts only where nothing else is left, so that devices of one machine still find each other without a network.
    """

    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = DENIED_BY_DEFAULT

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """The addresses to use now, IPv4 first, read afresh from the system at each call."""
        adapters = [adapter for adapter in ifaddr.get_adapters() if _allowed(adapter.name, self.allow, self.deny)]
        idle, unsettled = readiness.idle(adapter.name for adapter in adapters), readiness.unsettled()
        found = [
            InterfaceAddress(adapter.name, adapter.index or 0, ip.ip, ip.network)
            for adapter in adapters
            if adapter.name not in idle
            for ip in map(_interface, adapter.ips)
            if _usable(ip.ip) and ip.ip not in unsettled
        ]
        outward = [address for address in found if not address.ip.is_loopback]
        return tuple(sorted(outward or found, key=lambda address: address.ip.version))


def _interface(ip: ifaddr.IP) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    host = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
    return ipaddress.ip_interface(f"{host}/{ip.network_prefix}")
