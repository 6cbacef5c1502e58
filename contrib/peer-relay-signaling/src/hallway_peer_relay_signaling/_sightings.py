"""Whom to report: decided from what relays tell, who is linked, and time. No I/O; ``now`` is an argument, in seconds.

A peer is reported once a relay can reach it and it has had no link of its own for a while. From then on it stays reported, linked or not,
until no relay is left: a link through a relay must not make the peer that it leads to vanish, and if it breaks, the relay is known already.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from hallway.model import DeviceInfo, Gone, PeerRecord, Seen, Sighting
from hallway_peer_relay_signaling._limits import Bounds
from hallway_peer_relay_signaling._messages import Member
from hallway_peer_relay_signaling.config import SCHEME


def endpoint(relay: str, target: str) -> str:
    """Where ``target`` is reached by way of ``relay``."""
    # Without "//": the relay is no network host, and the runtime takes the host of an endpoint for the peer's own.
    return f"{SCHEME}:{relay}/{target}"


@attrs.define
class Sightings:
    """Every method returns what is to be reported, in order. Ids are compared without case."""

    device: DeviceInfo
    bounds: Bounds
    _linked: dict[str, str] = attrs.field(factory=dict)
    _told: dict[str, dict[str, Member]] = attrs.field(factory=dict)
    """By relay: whom it tells of."""
    _via: dict[str, dict[str, Member]] = attrs.field(factory=dict)
    """By peer: what each relay says of it."""
    _due: dict[str, float] = attrs.field(factory=dict)
    """When a peer that is not reported is looked at again."""
    _reported: dict[str, PeerRecord] = attrs.field(factory=dict)

    @property
    def deadline(self) -> float | None:
        """When `timer` wants to be called; None: not until something else happens."""
        return min(self._due.values(), default=None)

    def linked(self, peer_ids: Iterable[str], now: float) -> list[Sighting]:
        """These peers, and no others, have an open link."""
        before, self._linked = self._linked, {peer_id.lower(): peer_id for peer_id in peer_ids}
        lost = sorted(before.keys() - self._linked.keys())
        changed = [key for relay in lost for key in self._replace(relay, {})]
        for key in lost:
            if key in self._via and key not in self._reported:
                self._due[key] = now + self.bounds.after_loss
        for key in self._linked.keys() - before.keys():
            self._due.pop(key, None)
        return self._review_all(changed, now)

    def told(self, relay: str, peers: Iterable[Member], now: float) -> list[Sighting]:
        """A linked peer tells whom it can relay to; that replaces what it told before."""
        if relay.lower() not in self._linked:
            return []
        nobody = {relay.lower(), self.device.device_id.lower()}
        news = {peer.device_id.lower(): peer for peer in peers if peer.device_id.lower() not in nobody}
        return self._review_all(self._replace(relay.lower(), news), now)

    def timer(self, now: float) -> list[Sighting]:
        """Time has passed; call it at `deadline`, or at any time."""
        return self._review_all(sorted(key for key, due in self._due.items() if due <= now), now)

    def _replace(self, relay: str, news: dict[str, Member]) -> list[str]:
        """Note what a relay tells now; the peers of which it tells something new."""
        old = self._told.pop(relay, {})
        if news:
            self._told[relay] = news
        changed = [key for key in {**old, **news} if old.get(key) != news.get(key)]
        for key in changed:
            self._note(key, relay, news.get(key))
        return changed

    def _note(self, key: str, relay: str, member: Member | None) -> None:
        via = self._via.setdefault(key, {})
        if member is None:
            via.pop(relay, None)
        else:
            via[relay] = member
        if not via:
            del self._via[key]

    def _review_all(self, keys: Iterable[str], now: float) -> list[Sighting]:
        return [sighting for key in keys for sighting in self._review(key, now)]

    def _review(self, key: str, now: float) -> list[Sighting]:
        reported = self._reported.get(key)
        if key not in self._via:
            self._due.pop(key, None)
            return [Gone(self._reported.pop(key).device_id)] if reported is not None else []
        record = self._record(key, reported)
        if reported is None and not self._may_report(key, record, now):
            return []
        self._due.pop(key, None)
        self._reported[key] = record
        return [Seen(record)] if record != reported else []

    def _may_report(self, key: str, record: PeerRecord, now: float) -> bool:
        if key in self._linked:
            return False
        if self._due.setdefault(key, now + self.bounds.head_start) > now:
            return False
        first = _relay_of(record)
        by_one = sum(_relay_of(other) == first for other in self._reported.values())
        if len(self._reported) >= self.bounds.reported or by_one >= self.bounds.reported_by_one:
            self._due[key] = now + self.bounds.full_pause
            return False
        return True

    def _record(self, key: str, reported: PeerRecord | None) -> PeerRecord:
        relays = sorted(self._via[key])
        member = self._via[key][relays[0]]
        name = reported.device_id if reported is not None else member.device_id
        endpoints = tuple(endpoint(self._linked[relay], name) for relay in relays[: self.bounds.endpoints])
        return PeerRecord(name, self.device.property_id, member.device_type, endpoints, member.epoch)


def _relay_of(record: PeerRecord) -> str:
    return record.endpoints[0].rpartition("/")[0]
