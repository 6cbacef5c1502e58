"""How peers share the loop: one that sends much must not hold up those that send little. Pure; `now` is given."""

from __future__ import annotations

from math import inf

TURN = 0.001
"""Seconds for which what one peer sends may keep the loop in one go; what is begun is done."""
REST = 0.0001
"""Seconds between two pieces of work after which the second one begins a new turn: others could have had the loop."""
ACTIVE = 0.05
"""Seconds for which another peer counts as active after something of it was worked on."""
PATIENCE = 1.0
"""How many times as long as one kept the loop it waits for the others."""
LONGEST = 0.02
"""Seconds of a pause, at most."""


class Turns:
    """Shares one loop among those who work for a peer each: while another one is active, none gets more than half of it.

    Of several that are busy one works while the others wait. One that is alone never waits.
    """

    def __init__(self) -> None:
        self.latest: Turn | None = None
        """Who has worked last."""
        self.latest_at = -inf
        self.others_at = -inf
        """When another one than the latest has worked last."""


class Turn:
    """One of those who share: `begin` and `end` each piece of work, and sleep before it if `rest` says so.

    ``now`` is of a clock that goes on while the loop works: some loops' own stand still until it turns.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._kept = 0.0
        self._began = self._ended = self._rests_until = -inf

    def rest(self, now: float) -> float | None:
        """Seconds to sleep before the next piece of work; 0: behind what others have to do now. None: there is no need to sleep."""
        left = self._rests_until - now
        if left <= 0:
            return None
        return left if left > REST else 0.0

    def try_begin(self, now: float) -> bool:
        """Begin a piece of work, unless it is time to rest; returns whether it has begun."""
        if now < self._rests_until:
            return False
        if now - self._ended > REST:
            self._kept = 0.0
        self._began = now
        return True

    def begin(self, now: float) -> None:
        """Begin a piece of work: the rest before it is over, however long it was."""
        self._rests_until = now
        self.try_begin(now)

    def end(self, now: float) -> None:
        """It has ended."""
        turns = self._turns
        if turns.latest is not self:
            turns.latest, turns.others_at = self, turns.latest_at
        turns.latest_at = now
        self._kept, self._ended = self._kept + now - self._began, now
        if self._kept >= TURN:
            pause, self._kept = min(PATIENCE * self._kept, LONGEST), 0.0
            is_shared = now - turns.others_at < ACTIVE
            self._rests_until = now + (max(pause, REST) if is_shared else REST)
