"""Where the memory plugins of one process meet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import attrs

from hallway.config.options import option
from hallway.interfaces import DiscoveryHost, SignalingHost
from hallway.model import Envelope, Gone, PeerRecord, Refusal, Seen, same_device

if TYPE_CHECKING:
    from hallway.testing.memory.channel import MemoryChannel
    from hallway.testing.memory.control import MemoryBus

Handling = asyncio.Task[Envelope | Refusal]
"""A request that a device handles."""


@attrs.frozen
class MemoryConfig:
    """The shape of ``[plugins.memory]``."""

    hub: str = option(default="default", help="The hub to meet at: devices of one process that name the same one reach each other.")


@attrs.define(weakref_slot=True, eq=False)
class Hub:
    """Who is there: advertisements, browsers, listeners, what these handle, channels that wait for their answer, and control buses."""

    records: dict[str, PeerRecord] = attrs.field(factory=dict)
    browsers: dict[str, DiscoveryHost] = attrs.field(factory=dict)
    listeners: dict[str, SignalingHost] = attrs.field(factory=dict)
    handling: dict[str, set[Handling]] = attrs.field(factory=dict)
    waiting: dict[str, MemoryChannel] = attrs.field(factory=dict)
    buses: dict[str, MemoryBus] = attrs.field(factory=dict)

    def advertise(self, record: PeerRecord) -> None:
        """Let every other browser of the property see ``record``."""
        self.records[record.device_id] = record
        self._tell(record, lambda browser: browser.report(Seen(record)))

    def withdraw(self, device_id: str) -> None:
        """Let every other browser of the property see the device go."""
        record = self.records.pop(device_id, None)
        if record is not None:
            self._tell(record, lambda browser: browser.report(Gone(device_id)))

    def browse(self, device_id: str, property_id: str, browser: DiscoveryHost) -> None:
        """Show ``browser`` who is there, and from now on who comes and goes."""
        self.browsers[f"{property_id}/{device_id}"] = browser
        for record in list(self.records.values()):
            if record.property_id == property_id and not same_device(record.device_id, device_id):
                browser.report(Seen(record))

    def leave(self, device_id: str, property_id: str) -> None:
        """Forget a browser and what it advertised."""
        self.browsers.pop(f"{property_id}/{device_id}", None)
        self.withdraw(device_id)

    def _tell(self, record: PeerRecord, tell: Callable[[DiscoveryHost], None]) -> None:
        for key, browser in list(self.browsers.items()):
            property_id, _, device_id = key.rpartition("/")
            if property_id == record.property_id and not same_device(device_id, record.device_id):
                tell(browser)


_HUBS: WeakValueDictionary[str, Hub] = WeakValueDictionary()


def hub_named(name: str) -> Hub:
    """The hub of that name; it lives as long as somebody holds it."""
    return _HUBS.setdefault(name, Hub())
