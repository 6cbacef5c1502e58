"""What the demo knows of its devices, from what they tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

import attrs


@attrs.frozen
class Link:
    """An open link as one end sees it: the plugin that signaled it, and milliseconds from found to open."""

    signaling: str
    ms: float


@attrs.define
class DeviceState:
    """What the demo knows of one device, over all its lives."""

    name: str
    listen: str = ""
    links: dict[str, Link] = attrs.field(factory=dict)
    changes: list[str] = attrs.field(factory=list)
    """The peer of every change of a link since the act began."""
    sent: int = 0
    """Broadcasts in this act."""
    received: Counter[tuple[int, str]] = attrs.field(factory=Counter)
    """Messages by act and sender."""
    slowest: float | None = None
    last: str = "starting"
    has_ended: bool = False
    statuses: list[int] = attrs.field(factory=list)
    """The exit status of every life."""

    @property
    def received_total(self) -> int:
        """Messages that have arrived from all others, in all acts."""
        return self.received.total()

    def begin_life(self) -> None:
        """A new process is this device now."""
        self.listen, self.last, self.has_ended = "", "starting", False
        self.links.clear()

    def begin_act(self) -> None:
        """Count sent messages and changes anew."""
        self.sent = 0
        self.changes.clear()

    def note(self, event: dict[str, Any]) -> None:
        """Take in what the device tells."""
        match event:
            case {"event": "ready", "listen": listen}:
                self.listen, self.last = next(iter(listen), "nowhere"), "ready"
            case {"event": "peer-found", "peerId": peer}:
                self.last = f"found {peer}"
            case {"event": "peer-connected", "peerId": peer, "signaling": signaling, "ms": ms}:
                self._linked(peer, Link(signaling, ms))
            case {"event": "peer-disconnected", "peerId": peer, "reason": reason}:
                self.links.pop(peer, None)
                self.changes.append(peer)
                self.last = f"lost {peer}: {reason}"
            case {"event": "message", "peerId": peer, "message": {"data": {"act": act, "number": number}}}:
                self.received[act, peer] += 1
                self.last = f"{peer} says {number}"
            case {"event": "error", "message": message}:
                self.last = f"error: {message}"

    def _linked(self, peer: str, link: Link) -> None:
        self.links[peer] = link
        self.changes.append(peer)
        self.slowest = max(link.ms, self.slowest or 0.0)
        self.last = f"linked to {peer} by {link.signaling} in {link.ms:.0f} ms"


def pairs(devices: Sequence[DeviceState]) -> Iterator[tuple[DeviceState, DeviceState]]:
    """Every device with every other, both ways round."""
    return permutations(devices, 2)


def changed_links(devices: Sequence[DeviceState]) -> Iterator[str]:
    """The links among ``devices`` that opened or went down since the act began, as text."""
    for one, other in combinations(devices, 2):
        if other.name in one.changes or one.name in other.changes:
            yield f"{one.name} to {other.name}"
