"""One device of a LAN: its address, its counters, and what can go wrong with it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from netlab.faults import MULTICAST, Direction, Fault, Ports, Protocol, chance, drop, port_set, slow
from netlab.node import Node, Premises
from netlab.system import configure, nft_list, set_counters

if TYPE_CHECKING:
    from netlab.lan import Lan

_SETTINGS = {
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
}

_COUNTERS = """
table inet lab {{
  counter outside {{ }}
  set outside4 {{ type ipv4_addr; flags dynamic; }}
  set outside6 {{ type ipv6_addr; flags dynamic; }}
  chain count {{
    type filter hook output priority -200
    oifname "lo" return
    ip daddr {{ {network}, 224.0.0.0/24, 169.254.0.0/16, 255.255.255.255 }} return
    ip6 daddr {{ {network6}, fe80::/10, ff01::/16, ff02::/16 }} return
    counter name "outside"
    update @outside4 {{ ip daddr counter }}
    update @outside6 {{ ip6 daddr counter }}
  }}
}}
"""


class Host(Node):
    """A device on a LAN, with one interface ``eth0``. `Lan.host` makes it.

    Its faults happen at its port of the switch, so to its programs they look like a bad network: silence, not errors.
    """

    def __init__(self, premises: Premises, name: str, lan: Lan, port: str, mac: str) -> None:
        super().__init__(premises, name)
        self.lan = lan
        self.port = port
        self.mac = mac
        self.address = ""
        self.address6: str | None = None
        self.default_route = True
        self._down: Fault | None = None

    def set_up(self, address: str, address6: str | None, decoys: Mapping[str, str]) -> None:
        """Give the interface its addresses and add the decoys; `Lan.host` calls this once the cable is in."""
        self.address = address
        self.address6 = address6
        commands = [f"link add {name} type bridge\naddr add {cidr} dev {name}\nlink set {name} up" for name, cidr in decoys.items()]
        self.ip("link set eth0 up", *self._addressing(), *commands)

    def install_counters(self) -> None:
        """Count what leaves for anywhere else than the LAN, from before the first packet on."""
        configure(self.namespace, _SETTINGS, _COUNTERS.format(network=self.lan.network, network6=self.lan.network6))

    def _addressing(self) -> list[str]:
        """Idempotent: a link that went down lost its routes and IPv6 addresses, but not its IPv4 address."""
        commands = [f"addr replace {self.address}/{self.lan.network.prefixlen} brd + dev eth0"]
        if self.default_route:
            commands.append(f"route replace default via {self.lan.gateway}")
        if self.address6:
            commands.append(f"addr replace {self.address6}/{self.lan.network6.prefixlen} dev eth0 nodad")
        if self.address6 and self.default_route:
            commands.append(f"route replace default via {self.lan.gateway6}")
        return commands

    def packets_outside_lan(self) -> int:
        """Packets that this host sent to anywhere but its LAN, link-local addresses and groups, broadcast or itself.

        They count when they are sent, whether or not a fault swallows them later; without a route nothing is sent. The DNS server, public
        addresses, other LANs and the networks of decoys are all outside.
        """
        return int(nft_list(self.namespace, "counter", "outside")["packets"])

    def destinations_outside_lan(self) -> dict[str, int]:
        """The same packets by destination address: the first thing to print when the number is not 0."""
        return set_counters(self.namespace, "outside4") | set_counters(self.namespace, "outside6")

    def _lose(self, what: str, condition: str = "", inward: str = "", outward: str = "") -> Fault:
        """Drop at this host's port what fits, both ways."""
        matches = [f'oifname "{self.port}" {inward or condition}', f'iifname "{self.port}" {outward or condition}']
        return drop(f"{self.name}: {what}", self.lan.switch, "bridge", matches)

    def drop(self, percent: float) -> Fault:
        """Lose ``percent`` of this host's IP packets at random, in each direction."""
        return self._lose(f"{percent} % loss", chance(percent))

    def block_multicast(self) -> Fault:
        """Lose all multicast datagrams to and from this host; unicast passes."""
        matches = [f'{side} "{self.port}" {match}' for side in ("iifname", "oifname") for match in MULTICAST]
        return drop(f"{self.name}: no multicast", self.lan.switch, "bridge", matches)

    def block_port(self, protocol: Protocol, ports: Ports, direction: Direction = "both") -> Fault:
        """Lose packets with these destination ports, silently, as a firewall does.

        ``in``: on their way to this host; ``out``: from this host to others. ``ports`` is a number, a range or any collection.
        """
        sides = {"in": ("oifname",), "out": ("iifname",), "both": ("oifname", "iifname")}[direction]
        matches = [f'{side} "{self.port}" {protocol} dport {port_set(ports)}' for side in sides]
        return drop(f"{self.name}: {protocol} {ports} blocked ({direction})", self.lan.switch, "bridge", matches)

    def partition_from(self, other: Host) -> Fault:
        """Lose everything between this host and another one; both still reach all others.

        On one LAN that holds for any address they have or get. Across two LANs it holds for the addresses they have now.
        """
        return self._lose_between(other, f"{self.name} and {other.name} apart")

    def block_port_between(self, other: Host, protocol: Protocol, ports: Ports) -> Fault:
        """Lose packets with these destination ports between this host and another one, both ways; they pass to and from all others.

        On one LAN and across two as `partition_from`.
        """
        name = f"{protocol} {ports} blocked between {self.name} and {other.name}"
        return self._lose_between(other, name, f"{protocol} dport {port_set(ports)}")

    def _lose_between(self, other: Host, name: str, condition: str = "") -> Fault:
        ways = ((self, other), (other, self))
        if self.lan is other.lan:
            matches = [f'iifname "{one.port}" oifname "{two.port}" {condition}' for one, two in ways]
            return drop(name, self.lan.switch, "bridge", matches)
        matches = [f"ip saddr {one.address} ip daddr {two.address} {condition}" for one, two in ways]
        return drop(name, self.lan.router.namespace, "inet", matches)

    def lose_packets_to(self, other: Host) -> Fault:
        """Lose what this host sends to another one of its LAN; what that one sends arrives. ARP passes, so that it stays one-way."""
        match = f'iifname "{self.port}" oifname "{other.port}" {chance(100)}'
        return drop(f"{self.name} is not heard by {other.name}", self.lan.switch, "bridge", [match])

    def lose_address(self, address: str) -> Fault:
        """Lose all IPv4 packets to and from one of this host's addresses at its port, save the multicast that it sends."""
        return self._lose(f"{address} is dead", inward=f"ip daddr {address}", outward=f"ip saddr {address} ip daddr != 224.0.0.0/4")

    def rate(self, mbit: float) -> Fault:
        """Slow this host's cable down to ``mbit`` megabits a second each way; a second such fault takes the place of the first."""
        return slow(f"{self.name}: {mbit:g} Mbit/s", mbit, [(self.namespace, "eth0"), (self.lan.switch, self.port)])

    def change_address(self, new: str) -> Fault:
        """Take another IPv4 address of the LAN, as after a new DHCP lease; the old one is gone at once. Restoring brings it back.

        While the link is down the routes wait for `link_up`.
        """
        old = self.address
        self._readdress(new)
        return Fault(f"{self.name}: {old} became {new}", lambda: self._readdress(old))

    def _readdress(self, new: str) -> None:
        old, self.address = self.address, new
        is_down = self._down is not None and self._down.holds
        commands = self._addressing()[:1] if is_down else self._addressing()
        self.ip(f"addr del {old}/{self.lan.network.prefixlen} dev eth0", *commands)

    def link_down(self) -> Fault:
        """Switch the interface off: the routes are gone, so sending is an error at once."""
        self.ip("link set eth0 down")
        self._down = Fault(f"{self.name}: link down", lambda: self.ip("link set eth0 up", *self._addressing()))
        return self._down

    def link_up(self) -> None:
        """Switch the interface on again, with the address it has now. It may be on already."""
        if self._down:
            self._down.restore()

    def unplug(self) -> Fault:
        """Pull the cable: the interface keeps its address and routes, and sending leads to silence."""
        self.lan.ip(f"link set {self.port} down")
        return Fault(f"{self.name}: unplugged", lambda: self.lan.ip(f"link set {self.port} up"))
