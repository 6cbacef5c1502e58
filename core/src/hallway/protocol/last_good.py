"""Where peers were when a link to them last worked: what to try where nothing else tells. Pure; ``now`` is seconds since 1970."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from hallway.model import PeerRecord, is_device_id, is_endpoint, is_name
from hallway.protocol import jsontext

MAX_AGE = 7 * 24 * 3600.0
"""Seconds for which an address is worth a try."""
MAX_TIME = 1e11
"""No clock tells such seconds; what a file says must stay a number to reckon with."""
CAPACITY = 256
MAX_ENDPOINTS = 3
VERSION = 1


@attrs.frozen
class Place:
    """Where a peer was at ``at``."""

    record: PeerRecord
    at: float


def best(record: PeerRecord, remote: str | None) -> PeerRecord:
    """The part of a record that is worth remembering: the endpoints at the host over which messages pass, else the first ones."""
    there = tuple(url for url in record.endpoints if urlsplit(url).hostname == remote)
    return attrs.evolve(record, endpoints=(there or record.endpoints)[:MAX_ENDPOINTS], epoch=None)


@attrs.define
class LastGood:
    """The places of the peers of one property, by device id in lower case."""

    property_id: str
    _places: dict[str, Place] = attrs.field(factory=dict)

    def remember(self, record: PeerRecord, now: float) -> bool:
        """A link to the peer works there. Returns whether that is news to write down."""
        key, known = record.device_id.lower(), self._places.get(record.device_id.lower())
        self._places.pop(key, None)
        self._places[key] = Place(record, now)
        if len(self._places) > CAPACITY:
            del self._places[next(iter(self._places))]
        return known is None or known.record != record or now - known.at > MAX_AGE / 7

    def records(self, now: float) -> list[PeerRecord]:
        """Where to look, for peers that were linked not too long ago; a clock that was set back makes nobody too old."""
        return [place.record for place in self._places.values() if now - place.at < MAX_AGE]

    def dumps(self) -> str:
        """Everything as JSON text."""
        peers = [
            {"id": key.record.device_id, "type": key.record.device_type, "endpoints": list(key.record.endpoints), "at": key.at}
            for key in self._places.values()
        ]
        return jsontext.dumps({"version": VERSION, "property": self.property_id, "peers": peers})

    def loads(self, text: str | bytes) -> bool:
        """Take in what `dumps` wrote; False if it is not that, or of another property."""
        try:
            value = jsontext.loads(text)
        except jsontext.BadJson:
            return False
        if not isinstance(value, Mapping) or value.get("version") != VERSION or value.get("property") != self.property_id:
            return False
        places = [_place(facts, self.property_id) for facts in _list(value.get("peers"))]
        # What was remembered while the file was read is newer.
        self._places = {place.record.device_id.lower(): place for place in places if place is not None} | self._places
        return True


def _list(value: Any) -> Iterable[Any]:
    return value[:CAPACITY] if isinstance(value, list) else ()


def _place(facts: Any, property_id: str) -> Place | None:
    if not isinstance(facts, Mapping) or not is_device_id(facts.get("id")):
        return None
    at = facts.get("at")
    if not isinstance(at, int | float) or not 0 <= at < MAX_TIME:
        return None
    endpoints = tuple(url for url in _list(facts.get("endpoints")) if is_endpoint(url))[:MAX_ENDPOINTS]
    kind = str(facts["type"]) if is_name(facts.get("type")) else "device"
    return Place(PeerRecord(facts["id"], property_id, kind, endpoints), at) if endpoints else None
