"""What was sent and what became of it, and what happened to every link."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import attrs
from faults import LINK_EVENTS, Seen

BEFORE, AFTER = 12.0, 1.0
"""Seconds before and after a break of its link in which a message may be lost: by then each end has noticed that the other is gone."""


class Way(NamedTuple):
    """From one life of a device to a peer."""

    sender: str
    life: int
    receiver: str


@attrs.define
class Stream:
    """The numbered messages of one way."""

    sent: dict[int, float] = attrs.field(factory=dict)
    """Number to the time at which it was given to the device, of those that the link took."""
    arrived: set[int] = attrs.field(factory=set)
    last: int = -1
    duplicates: int = 0
    late: list[tuple[int, int, float]] = attrs.field(factory=list)
    """Number, the highest one that came before it, and when, of each message that came out of order."""

    def hear(self, number: int, at: float) -> None:
        """A message has arrived."""
        self.duplicates += number in self.arrived
        if number < self.last:
            self.late.append((number, self.last, at))
        self.last = max(self.last, number)
        self.arrived.add(number)


@attrs.define
class LinkEnd:
    """One device's end of a link."""

    up: int = 0
    moved: int = 0
    down: Counter[str] = attrs.field(factory=Counter)


@attrs.define
class Ledger:
    """Filled while the devices run; `account` reads it at the end."""

    streams: defaultdict[Way, Stream] = attrs.field(factory=lambda: defaultdict(Stream))
    ends: defaultdict[tuple[str, str], LinkEnd] = attrs.field(factory=lambda: defaultdict(LinkEnd))
    errors: Counter[str] = attrs.field(factory=Counter)
    refused: int = 0
    closed: bool = False
    """Whether the run is over: how the devices end is no part of it."""
    _events: list[tuple[str, Seen]] = attrs.field(factory=list)
    _breaks: defaultdict[frozenset[str], list[float]] = attrs.field(factory=lambda: defaultdict(list))
    _ends_of_life: defaultdict[str, list[float]] = attrs.field(factory=lambda: defaultdict(list))

    def sent(self, name: str, life: int, number: int, at: float, takers: set[str], wanted: int) -> None:
        """The links to ``takers`` took a message; those to the rest of the ``wanted`` refused it."""
        for receiver in takers:
            self.streams[Way(name, life, receiver)].sent[number] = at
        self.refused += wanted - len(takers)

    def count(self) -> int:
        """How many messages links took."""
        return sum(len(stream.sent) for stream in self.streams.values())

    def ended(self, name: str, at: float) -> None:
        """A process was ended."""
        self._ends_of_life[name].append(at)

    def take(self, name: str, seen: Seen) -> None:
        """A line of a device."""
        if self.closed:
            return
        line, peer = seen.line, seen.line.get("peerId", "")
        if line["event"] in LINK_EVENTS:
            self._events.append((name, seen))
        match line["event"]:
            case "message":
                life, number = line["message"]
                self.streams[Way(peer, life, name)].hear(number, seen.at)
            case "peer-connected":
                self.ends[name, peer].up += 1
            case "peer-path":
                self.ends[name, peer].moved += 1
                self._breaks[frozenset((name, peer))].append(seen.at)
            case "peer-disconnected":
                self.ends[name, peer].down[line["reason"]] += 1
                self._breaks[frozenset((name, peer))].append(seen.at)
            case "error":
                self.errors[line["code"]] += 1

    def _lost(self) -> list[tuple[Way, int, float, bool]]:
        """Way, number, time and whether a break explains it, of each message that a link took and nobody got."""
        found = []
        for way, stream in self.streams.items():
            deaths = self._ends_of_life[way.sender] + self._ends_of_life[way.receiver]
            breaks = sorted(self._breaks[frozenset((way.sender, way.receiver))] + deaths)
            for number in sorted(stream.sent.keys() - stream.arrived):
                at = stream.sent[number]
                index = bisect.bisect_left(breaks, at - AFTER)
                found.append((way, number, at, index < len(breaks) and breaks[index] <= at + BEFORE))
        return found

    def account(self, begun: float) -> dict[str, Any]:
        """All of it as a JSON object; times are seconds from ``begun``."""
        lost, streams = self._lost(), self.streams.values()
        unexplained = [
            f"{way.sender} to {way.receiver}: {number} at {at - begun:.1f} s" for way, number, at, explained in lost if not explained
        ]
        return {
            "messages": {
                "sent": self.count(),
                "refused": self.refused,
                "arrived": sum(len(stream.arrived) for stream in streams),
                "lost": len(lost),
                "lost_unexplained": unexplained,
                "duplicates": sum(stream.duplicates for stream in streams),
                "out_of_order": sum(len(stream.late) for stream in streams),
            },
            "late": [
                f"{way.sender} to {way.receiver}: {number} after {last} at {at - begun:.2f} s"
                for way, stream in self.streams.items()
                for number, last, at in stream.late
            ],
            "events": [{"at": seen.at - begun, "device": name, **seen.line} for name, seen in self._events],
            "links": {
                f"{name} to {peer}": {"up": end.up, "moved": end.moved, "down": dict(end.down)}
                for (name, peer), end in sorted(self.ends.items())
            },
            "errors": dict(self.errors),
        }
