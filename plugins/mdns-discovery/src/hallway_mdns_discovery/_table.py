"""The peers that this device knows by mDNS: bounded, aged, one entry a device. Pure: `now` is in seconds and given."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from hallway.model import Gone, PeerRecord, Seen, Sighting

CAPACITY = 256
MAX_LIFETIME = 120.0
"""Seconds: whatever TTL a record claims, a device that does not answer for this long has gone."""
MIN_LIFETIME = 10.0
"""Seconds: against records that flicker, and the lifetime of newcomers while the table is crowded."""

SETTLED = 10.0
"""Seconds for which a peer is known before its goodbye counts at once."""
GOODBYE_DELAY = 1.5
"""Seconds after which that of another one does, unless it speaks again: RFC 6762 section 10.1 says 1 s, and a device that contradicts may
take that long to."""
NEWCOMERS = (64, 50.0)
"""How many peers may come at once, and how many a second after that."""

REFRESH_AT = (0.80, 0.85, 0.90, 0.95)
"""Parts of a lifetime after which to ask again (RFC 6762 section 5.2)."""

MAX_UNRESOLVED = 32
RESOLVE_AFTER = 0.02
"""Seconds from an instance's name to the first question for the rest, which often comes in the next packet."""
RESOLVE_DELAYS = (0.25, 1.0, 2.0)
"""Seconds after each question for an instance; after the last it is forgotten."""


@attrs.define
class _Entry:
    instance: str
    record: PeerRecord
    since: float
    seen_at: float
    lifetime: float
    asked: int = 0
    leaving: bool = False

    @property
    def expires_at(self) -> float:
        return self.seen_at + self.lifetime

    @property
    def ask_at(self) -> float:
        if self.asked >= len(REFRESH_AT):
            return self.expires_at
        return self.seen_at + self.lifetime * REFRESH_AT[self.asked]


class Allowance:
    """Lets ``burst`` things through at once, and ``rate`` a second after that."""

    def __init__(self, burst: int, rate: float) -> None:
        self._burst = burst
        self._rate = rate
        self._left = float(burst)
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Let one through, or not."""
        self._left = min(self._left + (now - self._at) * self._rate, self._burst)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class PeerTable:
    """At most 256 peers. The full table refuses newcomers, so that no flood displaces a peer that is known.

    A newcomer to a table that is half full must answer a question within 10 s to stay: what floods and does not answer leaves room again.
    What flickers is reported seldom: newcomers come at a bounded rate, and the goodbye of a newcomer takes a while to count.
    Instances are named in lower case. Two instances that claim one device share its entry; the newest sight of either counts.
    """

    def __init__(self) -> None:
        self._peers: dict[str, _Entry] = {}
        self._devices: dict[str, str] = {}
        self._allowance = Allowance(*NEWCOMERS)

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, instance: str) -> bool:
        return instance in self._devices

    def instances(self) -> Iterator[str]:
        """The instances behind the entries."""
        return iter(self._devices)

    def heard_since(self, when: float) -> Iterator[str]:
        """The instances behind those entries that were seen at ``when`` or later."""
        return (entry.instance for entry in self._peers.values() if entry.seen_at >= when)

    @property
    def is_full(self) -> bool:
        """Whether newcomers are refused until somebody has gone."""
        return len(self) >= CAPACITY

    def is_leaving(self, instance: str) -> bool:
        """Whether this instance has said goodbye and is about to be forgotten."""
        return instance in self._devices and self._peers[self._devices[instance]].leaving

    def see(self, instance: str, record: PeerRecord, ttl: float, now: float) -> list[Sighting]:
        """Take in what an instance says; ``ttl`` is in seconds. Returns what is new about it."""
        key = record.device_id.lower()
        old = self._peers.get(key)
        if old is None and (self.is_full or not self._allowance.take(now)):
            return []
        sightings: list[Sighting] = self._forget(instance) if self._devices.get(instance, key) != key else []
        if old is not None:
            self._devices.pop(old.instance, None)
        since = old.since if old is not None else now
        self._peers[key] = _Entry(instance, record, since, now, self._lifetime(ttl, new=old is None))
        self._devices[instance] = key
        return sightings if old is not None and old.record == record else [*sightings, Seen(record)]

    def _lifetime(self, ttl: float, *, new: bool) -> float:
        longest = MIN_LIFETIME if new and len(self) >= CAPACITY // 2 else MAX_LIFETIME
        return min(max(ttl, MIN_LIFETIME), longest)

    def bye(self, instance: str, now: float) -> list[Sighting]:
        """Forget the peer that this instance stands for: now, or after `GOODBYE_DELAY` if it has just come."""
        entry = self._peers.get(self._devices.get(instance, ""))
        if entry is None or now - entry.since >= SETTLED:
            return self._forget(instance)
        if not entry.leaving:
            entry.leaving, entry.asked = True, len(REFRESH_AT)
            entry.seen_at, entry.lifetime = now, GOODBYE_DELAY
        return []

    def _forget(self, instance: str) -> list[Sighting]:
        key = self._devices.pop(instance, None)
        return [] if key is None else [Gone(self._peers.pop(key).record.device_id)]

    def expire(self, now: float) -> list[Sighting]:
        """Forget every peer whose lifetime is over."""
        over = [entry.instance for entry in self._peers.values() if entry.expires_at <= now]
        return [sighting for instance in over for sighting in self._forget(instance)]

    def stale(self, now: float) -> list[str]:
        """The instances to ask again now; each is named once for each of `REFRESH_AT`."""
        due = [entry for entry in self._peers.values() if entry.asked < len(REFRESH_AT) and entry.ask_at <= now]
        for entry in due:
            entry.asked += 1
        return [entry.instance for entry in due]

    def deadline(self) -> float | None:
        """When `stale` or `expire` has work next."""
        return min((entry.ask_at for entry in self._peers.values()), default=None)


@attrs.define
class _Question:
    asked: int
    due: float


class Unresolved:
    """Instances of which only the name is known, and when to ask for the rest. At most 32; others wait for their next announcement."""

    def __init__(self) -> None:
        self._questions: dict[str, _Question] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._questions)

    def add(self, instance: str, now: float) -> bool:
        """Begin to ask for ``instance``; False if that is under way or there is no room."""
        if instance in self._questions or len(self._questions) >= MAX_UNRESOLVED:
            return False
        self._questions[instance] = _Question(0, now + RESOLVE_AFTER)
        return True

    def discard(self, instance: str) -> None:
        """It is resolved, or gone."""
        self._questions.pop(instance, None)

    def due(self, now: float) -> list[str]:
        """The instances to ask for now; those asked for often enough are forgotten."""
        due = [name for name, question in self._questions.items() if question.due <= now]
        for name in due:
            self._advance(name, now)
        return [name for name in due if name in self._questions]

    def _advance(self, name: str, now: float) -> None:
        question = self._questions[name]
        if question.asked == len(RESOLVE_DELAYS):
            del self._questions[name]
            return
        question.due = now + RESOLVE_DELAYS[question.asked]
        question.asked += 1

    def deadline(self) -> float | None:
        """When `due` has work next."""
        return min((question.due for question in self._questions.values()), default=None)
