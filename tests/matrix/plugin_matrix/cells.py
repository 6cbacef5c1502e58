"""What is tried: one cell per discovery, signaling and channel plugin that is installed."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from itertools import product

import attrs

from hallway.plugins.catalog import Catalog

ROLES = ("discovery", "signaling", "channel")
SHARED_MEMORY = "memory"
"""Plugins of this name reach the devices of one process only."""

DEVICES = ("tablet-1", "tablet-2")

SETTINGS = {
    "http-local": ("plugins.http-local.port={port}",),
    "cloud-ws": ("plugins.cloud-ws.url={server}",),
    "static": ("plugins.static.peers.{peer}={peer_place}",),
}
"""What a plugin needs beyond its defaults. ``{server}`` is the URL of a signal server, ``{peer}`` the other device."""

PLACES = {"memory": "memory://{peer}"}
"""Where a signaling plugin listens, for a list of peers; the others listen at a TCP port, or at none."""

NEEDS_A_THIRD = "peer-relay needs a third device that both are linked to, and another carrier for those two links"
IMPOSSIBLE = {
    **{(discovery, "peer-relay"): NEEDS_A_THIRD for discovery in ("mdns", "memory", "static")},
    ("mdns", "memory"): "mDNS announces a TCP port, and signaling in memory listens at none, so neither device ever sees the other",
}
"""Discovery and signaling that can't work together by nature, and why."""

REMARKS = {
    ("mdns", "cloud-ws"): "mDNS has no TCP port to announce; the devices see each other by the signal server's presence",
    ("static", "cloud-ws"): "a list has no places for it; the devices see each other by the signal server's presence",
}
"""Discovery and signaling that work in a way one might not expect."""


@attrs.frozen
class Site:
    """Where the two devices of one cell meet. ``ports`` are theirs, 0 for any."""

    property_id: str
    server: str = ""
    ports: tuple[int, int] = (0, 0)


@attrs.frozen
class Cell:
    """One combination."""

    discovery: str
    signaling: str
    channel: str

    def __str__(self) -> str:
        return f"{self.discovery}-{self.signaling}-{self.channel}"

    @property
    def names(self) -> tuple[str, str, str]:
        """The three plugins, in the order of `ROLES`."""
        return self.discovery, self.signaling, self.channel

    @property
    def impossible(self) -> str:
        """Why it can't work; empty if it must."""
        return IMPOSSIBLE.get((self.discovery, self.signaling), "")

    @property
    def remark(self) -> str:
        """What a reader should know of it; mostly nothing."""
        return self.impossible or REMARKS.get((self.discovery, self.signaling), "")

    @property
    def shares_process(self) -> bool:
        """Whether both devices must live in one process."""
        return SHARED_MEMORY in self.names

    @property
    def needs_server(self) -> bool:
        """Whether it takes a signal server."""
        return any("{server}" in text for text in self._settings())

    def site(self, property_id: str, server: str = "") -> Site:
        """A site for it; a list of peers needs ports that are known before the devices start."""
        return Site(property_id, server, _free_ports() if self.discovery == "static" else (0, 0))

    def settings(self, number: int, site: Site) -> list[str]:
        """``key=value`` settings of device 0 or 1 on the loopback interface."""
        chains = [f'{role}.chain=["{name}"]' for role, name in zip(ROLES, self.names, strict=True)]
        identity = [f"device.id={DEVICES[number]}", f"device.property={site.property_id}", "security=open", 'network.interfaces=["lo"]']
        peer, peer_port = DEVICES[1 - number], site.ports[1 - number]
        place = PLACES.get(self.signaling, "127.0.0.1:{port}").format(peer=peer, port=peer_port)
        values = {"server": site.server, "port": site.ports[number], "peer": peer, "peer_place": place}
        return [*identity, *chains, *(text.format(**values) for text in self._settings())]

    def _settings(self) -> list[str]:
        return [text for name in dict.fromkeys(self.names) for text in SETTINGS.get(name, ())]


def _free_ports() -> tuple[int, int]:
    """Two that nobody listens on, below those that systems give out by themselves."""
    with ExitStack() as stack:
        found: list[int] = []
        for port in random.sample(range(20000, 30000), 100):
            server = stack.enter_context(socket.socket())
            try:
                server.bind(("", port))
            except OSError:
                continue
            found.append(port)
            if len(found) == 2:
                return found[0], found[1]
    raise OSError("no two TCP ports are free")


def installed_cells() -> list[Cell]:
    """Every combination of the installed plugins, by name."""
    catalog = Catalog()
    return [Cell(*names) for names in product(*(sorted(catalog.names(role)) for role in ROLES))]


def distributions() -> dict[str, str]:
    """The distributions that bring the plugins, and their versions."""
    return {item.distribution: item.version for item in Catalog().installed if item.group.removeprefix("hallway.") in ROLES}
