"""The way out of the site: the router with its NAT, and the internet, which is one machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from netlab.faults import Fault, drop, reject
from netlab.node import Node, Premises
from netlab.process import Process, matching
from netlab.system import configure, set_counters

if TYPE_CHECKING:
    from netlab.host import Host

INTERNET_ADDRESS = "203.0.113.10"
INTERNET_ADDRESS6 = "2001:db8:113::10"
DNS_ADDRESS = "203.0.113.53"
WAN_ADDRESS = "203.0.113.1"
"""The router's public address, and so that of everybody behind its NAT (RFC 5737 addresses)."""

_WAN_ADDRESS6 = "2001:db8:113::1"
_RESPONDERS = Path(__file__).parent / "responders"

_ROUTER_SETTINGS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    # Every packet that cannot be forwarded gets its error: by default the kernel saves on them.
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv6/icmp/ratelimit": "0",
}

_ROUTER_RULES = """
table inet lab {
  set forwarded { type ether_addr; flags dynamic; }
  chain count {
    type filter hook prerouting priority -300
    iifname != "lan*" return
    ip6 daddr { fe80::/10, ff00::/8 } return
    fib daddr type != { local, broadcast, multicast } update @forwarded { ether saddr counter }
  }
  chain nat {
    type nat hook postrouting priority 100
    oifname "wan0" masquerade
  }
}
"""


class Internet(Node):
    """Everything public, at 203.0.113.10 (and 203.0.113.53 for DNS). Nothing answers until a test starts it."""

    address = INTERNET_ADDRESS
    address6 = INTERNET_ADDRESS6
    dns_address = DNS_ADDRESS

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises, "internet")
        configure(self.namespace, {"net/ipv4/ip_forward": "0", "net/ipv6/conf/default/accept_dad": "0"})

    def add_address(self, address: str) -> None:
        """Own one more public IPv4 address; the router sends all that is public here."""
        self.ip(f"addr add {address}/32 dev eth0")

    async def _serve(self, script: str, *arguments: str) -> Process:
        # Safe path (-P): the responders' folder must not shadow the modules that they import.
        process = await self.spawn([sys.executable, "-P", str(_RESPONDERS / script), *arguments])
        self._premises.services.append(process)
        await process.wait_for(matching(event="ready"))
        return process

    async def serve_stun(self, address: str = INTERNET_ADDRESS, port: int = 3478) -> Process:
        """Start a STUN server, which the lab stops. Each answer prints ``{"event": "request", "from": [address, port]}``."""
        return await self._serve("stun.py", address, str(port))

    async def serve_turn(self, username: str, credential: str, address: str = INTERNET_ADDRESS, port: int = 3479) -> Process:
        """Start a TURN server (coturn), which the lab stops; its relayed addresses are at ``address`` too."""
        options = {
            "listening-ip": address,
            "relay-ip": address,
            "listening-port": str(port),
            "user": f"{username}:{credential}",
            "realm": "lab",
            "pidfile": "/dev/null",
            "userdb": "/dev/null",
        }
        # Private addresses lead nowhere here, as anywhere on the internet; coturn gives a relay up at the first error of its socket.
        self.ip("route replace 10.0.0.0/8 dev eth0")
        flags = ("--lt-cred-mech", "--fingerprint", "--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout", "--simple-log", "-n")
        process = await self.spawn(["turnserver", *flags, *(f"--{name}={value}" for name, value in options.items())])
        self._premises.services.append(process)
        while "Relay ports initialization done" not in await process.read_line():
            pass
        return process

    async def serve_dns(self, records: Mapping[str, str], address: str = DNS_ADDRESS) -> Process:
        """Start a DNS server, which the lab stops. It knows ``records`` (name to address) and denies all other names.

        Each answer prints ``{"event": "query", "name": "example.org", "type": "A"}``.
        """
        return await self._serve("nameserver.py", address, *(f"{name}={value}" for name, value in records.items()))


class Router(Node):
    """The site's router: forwards between its LANs, and to the internet with NAT."""

    def __init__(self, premises: Premises, internet: Internet) -> None:
        super().__init__(premises, "router")
        configure(self.namespace, _ROUTER_SETTINGS, _ROUTER_RULES)
        self.ip(f"link add wan0 type veth peer name eth0 netns {internet.namespace}", f"addr add {WAN_ADDRESS}/24 dev wan0")
        internet.ip(
            f"addr add {INTERNET_ADDRESS}/24 dev eth0",
            f"addr add {DNS_ADDRESS}/24 dev eth0",
            "link set eth0 up",
        )
        self._wan_up()
        self._internet = internet

    def _wan_up(self) -> None:
        self.ip("link set wan0 up", f"route replace default via {INTERNET_ADDRESS}")

    def join(self, interface: str, address: str, address6: str | None) -> None:
        """Serve one more LAN on ``interface``; the first with IPv6 brings the internet IPv6 as well."""
        self.ip(f"addr add {address} brd + dev {interface}", f"link set {interface} up")
        if address6:
            self.ip(f"addr add {address6} dev {interface} nodad", f"addr replace {_WAN_ADDRESS6}/64 dev wan0 nodad")
            self.ip(f"route replace default via {INTERNET_ADDRESS6}")
            self._internet.ip(f"addr replace {INTERNET_ADDRESS6}/64 dev eth0 nodad")

    def packets_from(self, host: Host) -> int:
        """Packets of ``host`` that came here to be forwarded, whichever address it had, and whether or not a fault swallowed them then."""
        return set_counters(self.namespace, "forwarded").get(host.mac, 0)

    def cut_wan(self) -> Fault:
        """Take the WAN link down: an ICMP error ("network unreachable") comes back at once for each packet.

        TCP fails at once, and so does glibc's resolver. Linux keeps this error from UDP sockets without IP_RECVERR (its icmp_err_convert
        table calls it not fatal), so asyncio's see silence; `reject_wan` is an error for them as well.
        """
        self.ip("link set wan0 down")
        return Fault("WAN cut", self._wan_up)

    def reject_wan(self) -> Fault:
        """Refuse all that goes to the internet, as a captive portal's firewall does: TCP and connected UDP sockets fail at once."""
        return reject("WAN refused", self.namespace, 'oifname "wan0"')

    def black_hole_wan(self) -> Fault:
        """Swallow all that goes to the internet or comes from it, DNS included, without a word to anybody."""
        return drop("WAN black-holed", self.namespace, "inet", ['oifname "wan0"', 'iifname "wan0"'])
