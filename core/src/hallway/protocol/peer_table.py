"""Who is in sight: the sightings of all sources, merged by device."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from hallway.model import DeviceInfo, Gone, PeerRecord, Seen, Sighting

CAPACITY = 256
"""Peers in the table that tell of themselves, at most, and peers in all of which it is told beside them; one more is ignored."""
HINTS = frozenset({"last-good", "introduced"})
"""Sources that know of a peer by hearsay: what it was, or what another peer tells. They come after the others, and are told of only where
they are alone."""

MAX_AT_ONE_HOST = 8
"""Peers whose first endpoint is at one host, at most: whoever forges sightings must not fill the table with one address."""


@attrs.frozen
class Found:
    """``plugin`` sees this peer, which it did not before."""

    record: PeerRecord
    plugin: str


@attrs.frozen
class Updated:
    """What ``plugin`` knows of the peer has changed."""

    record: PeerRecord
    plugin: str


@attrs.frozen
class Lost:
    """``plugin`` does not see the peer any more; ``last`` if nobody else does."""

    record: PeerRecord
    plugin: str
    last: bool


Change = Found | Updated | Lost


@attrs.define
class PeerTable:
    """Peers by id (without case), each with one record per source, in the order of the sources' first sighting."""

    device: DeviceInfo
    _peers: dict[str, dict[str, PeerRecord]] = attrs.field(factory=dict)

    def apply(self, plugin: str, sighting: Sighting) -> Change | None:
        """Take one sighting in and say what it changed; None for this device itself, other properties, repetitions and overflow."""
        match sighting:
            case Seen(record):
                return self._seen(plugin, record)
            case Gone(device_id):
                return self._gone(plugin, device_id)

    def records(self, device_id: str) -> tuple[PeerRecord, ...]:
        """All that is known of one peer, one record per source; hearsay comes last."""
        known = self._peers.get(device_id.lower(), {})
        return tuple(known[source] for source in sorted(known, key=lambda source: source in HINTS))

    def announced(self, device_id: str) -> frozenset[str]:
        """The hosts at which a peer itself says to be; empty if only hearsay knows it."""
        known = self._peers.get(device_id.lower(), {})
        return frozenset(host for source, record in known.items() if source not in HINTS for host in record.hosts)

    def is_rumour(self, device_id: str) -> bool:
        """Whether nothing but what other peers tell says that this peer exists."""
        return self._peers.get(device_id.lower(), {}).keys() == {"introduced"}

    def merged(self, device_id: str) -> PeerRecord | None:
        """One record of one peer: the first source's, with the endpoints of all and an epoch if any source knows it."""
        records = self.records(device_id)
        if not records:
            return None
        endpoints = dict.fromkeys(endpoint for record in records for endpoint in record.endpoints)
        epochs = [record.epoch for record in records if record.epoch is not None]
        return attrs.evolve(records[0], endpoints=tuple(endpoints), epoch=epochs[0] if epochs else None)

    def sightings(self) -> dict[str, tuple[str, ...]]:
        """Which plugins see each peer: plugin names by device id, as the first source spells it."""
        return {record.device_id: tuple(sources) for record, sources in zip(self._firsts(), self._peers.values(), strict=True)}

    def _seen(self, plugin: str, record: PeerRecord) -> Change | None:
        key = record.device_id.lower()
        foreign = record.property_id != self.device.property_id
        if foreign or key == self.device.device_id.lower() or (key not in self._peers and self._is_full(plugin, record)):
            return None
        known = self._peers.setdefault(key, {})
        previous = known.get(plugin)
        known[plugin] = record
        if previous is None and not (plugin in HINTS and len(known) > 1):
            return Found(record, plugin)
        return Updated(record, plugin) if previous != record else None

    def _is_full(self, plugin: str, record: PeerRecord) -> bool:
        """Hearsay takes no place from those who tell of themselves: whoever is linked can tell of many that do not exist."""
        rivals = [self.records(key)[0] for key, known in self._peers.items() if plugin in HINTS or known.keys() - HINTS]
        at_host = sum(rival.ip == record.ip for rival in rivals) if record.ip is not None else 0
        return len(rivals) >= CAPACITY or at_host >= MAX_AT_ONE_HOST

    def _firsts(self) -> Iterator[PeerRecord]:
        return (next(iter(sources.values())) for sources in self._peers.values())

    def _gone(self, plugin: str, device_id: str) -> Change | None:
        key = device_id.lower()
        record = self._peers.get(key, {}).pop(plugin, None)
        if record is None:
            return None
        last = not self._peers[key]
        if last:
            del self._peers[key]
        elif plugin in HINTS:
            return Updated(record, plugin)
        return Lost(record, plugin, last)
