"""Whether the peer lives, from what arrives and nothing else: a library's connection state proves nothing about the other side."""

from __future__ import annotations

from enum import Enum

import attrs

INTERVAL = 1.5
"""Seconds of silence after which we ask."""
PATIENCE = 5.0
"""Seconds of silence after which the peer counts as lost."""
SUSPICION = 1.5
"""Seconds that a peer gets to answer once there is reason for doubt."""


class Pulse(Enum):
    """What to do when a heartbeat is due."""

    ASK = "ask"
    DEAD = "dead"


@attrs.define
class Heartbeat:
    """Silence since ``heard`` (seconds of the caller's clock) decides; any frame counts as life."""

    heard: float
    asked: float | None = None
    dead_at: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.dead_at = self.heard + PATIENCE

    @property
    def deadline(self) -> float:
        """When `tick` wants to be called next."""
        return min(self.dead_at, (self.asked if self.asked is not None else self.heard) + INTERVAL)

    def received(self, now: float) -> None:
        """Something arrived."""
        self.heard = now
        self.asked = None
        self.dead_at = now + PATIENCE

    def suspect(self, now: float) -> None:
        """There is reason to think that the peer is gone: it has `SUSPICION` seconds to prove the contrary."""
        self.asked = now - INTERVAL
        self.dead_at = min(self.dead_at, now + SUSPICION)

    def tick(self, now: float) -> Pulse | None:
        """Decide at ``now``.

        A tick that comes later than it was due by a whole `INTERVAL` says that we slept, not that the peer died: it gets another chance.
        """
        if now < self.deadline:
            return None
        if now >= self.deadline + INTERVAL:
            self.dead_at = max(self.dead_at, now + SUSPICION)
        elif now >= self.dead_at:
            return Pulse.DEAD
        self.asked = now
        return Pulse.ASK
