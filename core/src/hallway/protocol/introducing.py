"""What linked devices tell each other of themselves and of those that they are linked to: JSON in and out, and when. Pure.

::

    {"endpoints": [url, ...], "type": text, "epoch": text, "peers": [{"id", "endpoints", "type", "epoch"}, ...]}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

import attrs

from hallway.model import DeviceInfo, PeerRecord, is_device_id, is_endpoint, is_name
from hallway.protocol.chain import MAX_ENDPOINTS

MAX_TOLD = 64
"""Peers in one message, at most."""
MAX_URL = 256
FIRST_PAUSE = 0.5
"""Seconds from the open link to the first message: when a whole site starts, most of what it tells is known only then."""
PAUSE = 5.0
"""Seconds between two messages to one peer, at least. Whoever is new hears of all others at once, and goes to them itself."""


def dumps(device: DeviceInfo, endpoints: Iterable[str], linked: Iterable[PeerRecord]) -> dict[str, Any]:
    """What this device tells: where it is, and where those are to which it is linked."""
    own = PeerRecord(device.device_id, device.property_id, device.device_type, tuple(endpoints), device.epoch)
    peers = [{"id": record.device_id, **_facts(record)} for record in linked if record.endpoints]
    return {**_facts(own), "peers": peers[:MAX_TOLD]}


def _facts(record: PeerRecord) -> dict[str, Any]:
    return {"endpoints": list(record.endpoints[:MAX_ENDPOINTS]), "type": record.device_type, "epoch": record.epoch}


def loads(body: Any, sender: str, device: DeviceInfo) -> dict[str, PeerRecord]:
    """What ``sender`` tells, by device id in lower case: itself, and its peers but for this device. What cannot be read is left out."""
    if not isinstance(body, Mapping):
        return {}
    told = body.get("peers")
    records = [_record(sender, body, device), *_peers(told if isinstance(told, list) else [], device)]
    skipped = {device.device_id.lower()}
    return {record.device_id.lower(): record for record in reversed(records) if record and record.device_id.lower() not in skipped}


def _peers(told: list[Any], device: DeviceInfo) -> Iterator[PeerRecord | None]:
    for facts in told[:MAX_TOLD]:
        if isinstance(facts, Mapping) and is_device_id(facts.get("id")):
            yield _record(facts["id"], facts, device)


def _record(device_id: str, facts: Mapping[Any, Any], device: DeviceInfo) -> PeerRecord | None:
    listed = facts.get("endpoints")
    endpoints = tuple(url for url in listed if _is_url(url))[:MAX_ENDPOINTS] if isinstance(listed, list) else ()
    if not endpoints:
        return None
    kind, epoch = _name(facts.get("type")), _name(facts.get("epoch"))
    return PeerRecord(device_id, device.property_id, kind or "device", endpoints, epoch)


def _name(value: Any) -> str | None:
    return str(value) if is_name(value) else None


def _is_url(url: Any) -> bool:
    return isinstance(url, str) and len(url) <= MAX_URL and url.isascii() and url.isprintable() and "://" in url and is_endpoint(url)


def merged(heard: Mapping[str, Mapping[str, PeerRecord]]) -> dict[str, PeerRecord]:
    """All that was heard, by device id in lower case; ``heard`` is by teller.

    Of a peer that tells of itself, its own word counts. What several others tell of one is taken by turns, so that one of them that is
    wrong does not hide what the rest knows.
    """
    told: dict[str, list[PeerRecord]] = {}
    for teller, records in heard.items():
        for key, record in records.items():
            if key != teller.lower():
                told.setdefault(key, []).append(record)
    own = {teller.lower(): records[teller.lower()] for teller, records in heard.items() if teller.lower() in records}
    return {key: _by_turns(records) for key, records in told.items()} | own


def _by_turns(records: list[PeerRecord]) -> PeerRecord:
    turns = zip_longest(*(record.endpoints for record in records))
    endpoints = dict.fromkeys(url for turn in turns for url in turn if url is not None)
    return attrs.evolve(records[0], endpoints=tuple(endpoints)[:MAX_ENDPOINTS])


@attrs.define
class Told:
    """Who was told what, and when; ``now`` is in seconds."""

    _channels: dict[str, int] = attrs.field(factory=dict)
    _last: dict[str, tuple[Any, float]] = attrs.field(factory=dict)

    def linked(self, channels: Mapping[str, int], now: float) -> None:
        """These peers are linked, and nobody else. Over another channel than before a peer is told anew: it may have lost what it knew."""
        kept = {peer: told for peer, told in self._last.items() if channels.get(peer) == self._channels[peer]}
        self._channels = dict(channels)
        self._last = {peer: kept.get(peer, (None, now + FIRST_PAUSE - PAUSE)) for peer in channels}

    def due(self, peer_id: str, news: Any, now: float) -> float | None:
        """Seconds until ``peer_id`` is to be told ``news``, 0 for now; None if it knows them."""
        known, at = self._last[peer_id]
        return None if known == news else max(0.0, at + PAUSE - now)

    def told(self, peer_id: str, news: Any, now: float) -> None:
        """It is being told."""
        self._last[peer_id] = (news, now)

    def missed(self, peer_id: str) -> None:
        """It has not answered, and may not know what it was told."""
        if peer_id in self._last:
            self._last[peer_id] = (None, self._last[peer_id][1])
