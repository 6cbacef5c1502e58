"""When to dial a peer again."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import attrs

from hallway.protocol.backoff import Backoff

REDIAL_CAP = 1.5
"""Seconds between two dials, at most."""
PATIENT_REDIALS = 10
"""Dials in a row at that rate to a peer that has never been linked; whoever forges sightings must not keep us busy for ever."""
PATIENT_SECONDS = 180.0
"""How long a peer is dialed at that rate after its link was lost: longer than a router takes to start."""
SLOW_REDIAL_CAP = 10.0
"""Seconds between two dials to either from then on, at most: a tablet in a drawer must not cost the whole site its air time."""
DIAL_PAUSE = 0.5
"""Seconds between two dials, at least: whoever forges sightings must not make us dial at their rate."""
SPREAD = 0.1
"""Seconds over which a dial that is due at once is spread: both ends notice a loss at about the same time, and should not cross."""


@attrs.define
class Redial:
    """The next dial of one link: ``at`` is its time, None if none is planned. ``random`` returns 0 to 1 (1 excluded)."""

    random: Callable[[], float]
    at: float | None = None
    _dialed_at: float = -inf
    _lost_at: float = -inf
    _backoff: Backoff = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._backoff = Backoff(0.3, REDIAL_CAP, self.random)

    def is_due(self, now: float) -> bool:
        """Whether the planned dial is to be made."""
        return self.at is not None and self.at <= now

    def may_dial(self, now: float) -> bool:
        """Whether news of the peer may be followed by a dial at once; if not, one is planned for as soon as it may."""
        if now >= self._dialed_at + DIAL_PAUSE:
            return True
        soonest = self._dialed_at + DIAL_PAUSE
        self.at = soonest if self.at is None else min(self.at, soonest)
        return False

    def dialed(self, now: float) -> None:
        """A dial is being made."""
        self.at = None
        self._dialed_at = now

    def failed(self, now: float) -> None:
        """An attempt has failed: plan the next one, counted from the start of the last."""
        self._backoff.cap = REDIAL_CAP if self._is_patient(now) else SLOW_REDIAL_CAP
        start = self._dialed_at if self._dialed_at > -inf else now
        self.at = max(now + SPREAD * self.random(), start + self._backoff.next())

    def _is_patient(self, now: float) -> bool:
        return now < self._lost_at + PATIENT_SECONDS or (self._lost_at == -inf and self._backoff.failures < PATIENT_REDIALS)

    def lost(self, now: float) -> None:
        """An open link was lost: plan the next one at once."""
        self._lost_at = now
        self.at = now + SPREAD * self.random()

    def soon(self, now: float) -> None:
        """What kept dials from working may be over: begin anew, as soon as `DIAL_PAUSE` allows."""
        self._backoff.reset()
        self.at = max(now + SPREAD * self.random(), self._dialed_at + DIAL_PAUSE)

    def linked(self) -> None:
        """The link is open."""
        self.at = None
        self._backoff.reset()

    def cancel(self) -> None:
        """No dial is wanted."""
        self.at = None
