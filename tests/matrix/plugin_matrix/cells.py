"""What is tried: one cell per discovery, signaling and channel plugin that is installed."""

from __future__ import annotations

from itertools import product

import attrs

from hallway.plugins.catalog import Catalog

ROLES = ("discovery", "signaling", "channel")
SHARED_MEMORY = "memory"
"""Plugins of this name reach the devices of one process only."""

SETTINGS = {
    "http-local": ("plugins.http-local.port=0",),
    "cloud-ws": ("plugins.cloud-ws.url={server}",),
}
"""What a plugin needs beyond its defaults. ``{server}`` is the URL of a signal server."""

IMPOSSIBLE = {
    ("mdns", "memory"): "mDNS announces a TCP port, and signaling in memory listens at none, so neither device ever sees the other",
}
"""Discovery and signaling that can't work together by nature, and why."""

REMARKS = {
    ("mdns", "cloud-ws"): "mDNS has no TCP port to announce; the devices see each other by the signal server's presence",
}
"""Discovery and signaling that work in a way one might not expect."""


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

    def settings(self, device_id: str, property_id: str, server: str = "") -> list[str]:
        """``key=value`` settings of one device on the loopback interface."""
        chains = [f'{role}.chain=["{name}"]' for role, name in zip(ROLES, self.names, strict=True)]
        identity = [f"device.id={device_id}", f"device.property={property_id}", "security=open", 'network.interfaces=["lo"]']
        return [*identity, *chains, *(text.format(server=server) for text in self._settings())]

    def _settings(self) -> list[str]:
        return [text for name in dict.fromkeys(self.names) for text in SETTINGS.get(name, ())]


def installed_cells() -> list[Cell]:
    """Every combination of the installed plugins, by name."""
    catalog = Catalog()
    return [Cell(*names) for names in product(*(sorted(catalog.names(role)) for role in ROLES))]


def distributions() -> dict[str, str]:
    """The distributions that bring the plugins, and their versions."""
    return {item.distribution: item.version for item in Catalog().installed if item.group.removeprefix("hallway.") in ROLES}
