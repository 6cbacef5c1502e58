"""The channel that a link has moved from: what the peer sent over it comes before what it sends over the new one.

Each end sends ``Bye(MOVED)`` as the last frame over the old channel. Until the peer's has come, the driver does not read on from the
new channel; `MOVE_PATIENCE` bounds that.
"""

from __future__ import annotations

import attrs

from hallway.protocol.effects import Effect, Faded

MOVE_PATIENCE = 3.0
"""Seconds in which what was sent over the old channel must have arrived; what comes later is lost."""


@attrs.define
class Fading:
    """``attempt`` is that of the old channel while something may come over it; None: there is none."""

    attempt: int | None = None
    deadline: float | None = None

    def begin(self, attempt: int, now: float) -> None:
        """The link has moved from the channel of ``attempt``."""
        self.attempt, self.deadline = attempt, now + MOVE_PATIENCE

    def pause(self, now: float, *, paused: bool) -> None:
        """The old channel is not read at this end (or is again): what has arrived is not late."""
        self.deadline = None if paused else now + MOVE_PATIENCE

    def is_due(self, now: float) -> bool:
        """Whether it has had its time."""
        return self.deadline is not None and now >= self.deadline

    def end(self) -> list[Effect]:
        """Nothing more is awaited over the old channel."""
        if self.attempt is None:
            return []
        faded, self.attempt, self.deadline = self.attempt, None, None
        return [Faded(faded)]
