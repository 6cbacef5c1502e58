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
STRANGE_REDIAL_CAP = 10.0
"""Seconds between two dials to such a peer from then on, at most."""
DIAL_PAUSE = 0.5
"""Seconds between two dials, at least: whoever forges sightings must not make us dial at their rate."""
LOSS_SPREAD = 0.1
"""Seconds over which dials after a loss are spread: both ends notice it at about the same time, and should not cross."""


@attrs.define
class Redial:
    """The next dial of one link: ``at`` is its time, None if none is planned. ``random`` returns 0 to 1 (1 excluded)."""

    random: Callable[[], float]
    at: float | None = None
    _dialed_at: float = -inf
    _was_linked: bool = False
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
        """An attempt has failed: plan the next one."""
        strange = not self._was_linked and self._backoff.failures >= PATIENT_REDIALS
        self._backoff.cap = STRANGE_REDIAL_CAP if strange else REDIAL_CAP
        self.at = now + self._backoff.next()

    def lost(self, now: float) -> None:
        """An open link was lost: plan the next one at once."""
        self.at = now + LOSS_SPREAD * self.random()

    def linked(self) -> None:
        """The link is open."""
        self.at = None
        self._was_linked = True
        self._backoff.reset()

    def cancel(self) -> None:
        """No dial is wanted."""
        self.at = None
