"""Whether the peer lives, from proof that what we send arrives: a library's connection state proves nothing about the other side.

Proof is the answer to a ping, or the peer's transport acknowledging our bytes. Merely hearing the peer is none: where only one direction
of the path is dead, we hear it well, and it does not hear us.
"""

from __future__ import annotations

from enum import Enum
from math import inf

import attrs

SUSPICION = 1.5
"""Seconds that a peer gets to answer once there is reason for doubt."""
CALM = 10.0
"""Seconds after a doubt was disproved in which another one makes us ask, but sets no deadline: whoever forges evidence must not keep a
link one lost packet away from its end."""
ALERT = 0.5
"""Seconds between two pings of a peer that has not answered the last one."""


@attrs.frozen
class Timing:
    """When silence means what, in seconds without proof. The first ping goes out at two thirds of ``suspect_after``."""

    suspect_after: float = 1.5
    lost_after: float = 5.0

    @property
    def ping_after(self) -> float:
        """When to ask."""
        return self.suspect_after * 2 / 3


class Pulse(Enum):
    """What is due."""

    ASK = "ask"
    SUSPECT = "suspect"
    DEAD = "dead"


@attrs.define
class Heartbeat:
    """The age of the last proof decides; times are seconds of the caller's clock."""

    timing: Timing
    proved_at: float
    doubted: bool = False
    """Whether there is evidence against the path, and no proof since."""
    suspected: bool = False
    """Whether `Pulse.SUSPECT` was told since the last proof."""
    _calm_until: float = -inf
    _ask_at: float = attrs.field(init=False)
    _dead_at: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.proved(self.proved_at)

    @property
    def deadline(self) -> float:
        """When `tick` wants to be called next."""
        times = [self._ask_at, self._dead_at]
        return min(times if self.suspected else [*times, self.proved_at + self.timing.suspect_after])

    def proved(self, now: float) -> None:
        """Something that we sent has arrived."""
        self.proved_at = now
        if self.doubted:
            self._calm_until = now + CALM
        self.doubted = self.suspected = False
        self._ask_at = now + self.timing.ping_after
        self._dead_at = now + self.timing.lost_after

    def doubt(self, now: float) -> None:
        """There is evidence that the path is dead: the peer has `SUSPICION` seconds to prove the contrary, unless it did lately."""
        self._ask_at = now
        if now >= self._calm_until:
            self.doubted = True
            self._dead_at = min(self._dead_at, now + SUSPICION)

    def tick(self, now: float) -> Pulse | None:
        """What is due at ``now``; call it again until it is None.

        A tick that is late by more than the time until a ping says that we slept, not that the peer died: it gets another chance.
        """
        if now < self.deadline:
            return None
        if now >= self.deadline + self.timing.ping_after:
            self._dead_at = max(self._dead_at, now + SUSPICION)
            self._ask_at = now
        if now >= self._dead_at:
            return Pulse.DEAD
        if not self.suspected and now >= self.proved_at + self.timing.suspect_after:
            self.suspected = True
            return Pulse.SUSPECT
        if now >= self._ask_at:
            self._ask_at = now + min(ALERT, self.timing.ping_after)
            return Pulse.ASK
        return None
