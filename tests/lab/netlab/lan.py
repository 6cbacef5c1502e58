"""One LAN: a switch in a namespace of its own, and the hosts on it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network

from netlab.faults import MULTICAST, Fault, chance, drop
from netlab.host import Host
from netlab.internet import DNS_ADDRESS, Router
from netlab.namespaces import write_etc
from netlab.node import Node, Premises
from netlab.system import configure

_FIRST_HOST = 11


class Lan(Node):
    """A switch that passes multicast to every port, with the router on one of them. `Lab.lan` makes it."""

    def __init__(self, premises: Premises, name: str, index: int, router: Router, *, ipv6: bool) -> None:
        super().__init__(premises, name)
        self.hosts: dict[str, Host] = {}
        self.router = router
        self.ipv6 = ipv6
        self.network = IPv4Network(f"10.77.{index}.0/24")
        self.network6 = IPv6Network(f"fd77:0:0:{index}::/64")
        self.gateway = str(self.network[1])
        self.gateway6 = str(self.network6[1])
        self._index = index
        # A switch has nothing to say of its own.
        configure(self.namespace, {"net/ipv6/conf/default/disable_ipv6": "1"})
        self.ip("link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0", "link set br0 up")
        self._plug("p0", f"lan{index}", router.namespace, self._mac(1))
        router.join(f"lan{index}", f"{self.gateway}/24", f"{self.gateway6}/64" if ipv6 else None)

    @property
    def switch(self) -> str:
        """The namespace of the switch."""
        return self.namespace

    def _mac(self, number: int) -> str:
        return f"02:77:00:00:{self._index:02x}:{number:02x}"

    def _plug(self, port: str, interface: str, namespace: str, mac: str) -> None:
        self.ip(
            f"link add {port} type veth peer name {interface} address {mac} netns {namespace}",
            f"link set {port} master br0 up",
        )

    def host(
        self,
        name: str,
        *,
        address: str | None = None,
        default_route: bool = True,
        dns: str = DNS_ADDRESS,
        decoys: Mapping[str, str] | None = None,
    ) -> Host:
        """Add a host (names are unique in the lab).

        ``address`` is in ``network``, from .11 on unless given; a LAN with IPv6 adds a unique local one. ``dns`` is the only server
        in the host's resolv.conf. ``decoys`` are more interfaces, which lead nowhere: ``{"docker0": "172.17.0.1/16"}``; many hosts
        may have the same.
        """
        number = _FIRST_HOST + len(self.hosts)
        host = Host(self._premises, name, self, port=f"p{number}", mac=self._mac(number))
        host.default_route = default_route
        host.install_counters()
        write_etc(
            host.namespace,
            {
                "resolv.conf": f"nameserver {dns}\n",
                "hosts": "127.0.0.1 localhost\n::1 localhost\n",
                # Without this the machine's own resolver daemon would be asked over its socket.
                "nsswitch.conf": "hosts: files dns\n",
            },
        )
        self._plug(host.port, "eth0", host.namespace, host.mac)
        host.set_up(address or str(self.network[number]), str(self.network6[number]) if self.ipv6 else None, decoys or {})
        self.hosts[name] = host
        return host

    def block_multicast(self) -> Fault:
        """Lose all multicast datagrams on this LAN, as an access point with client isolation of multicast does; unicast passes."""
        return drop(f"{self.name}: no multicast", self.switch, "bridge", MULTICAST)

    def drop(self, percent: float) -> Fault:
        """Lose ``percent`` of the IP packets that cross this LAN at random; an answer has to cross as well."""
        return drop(f"{self.name}: {percent} % loss", self.switch, "bridge", [chance(percent)])
