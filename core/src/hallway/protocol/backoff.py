"""How long to wait before the next try: growing, capped, jittered."""

from __future__ import annotations

from collections.abc import Callable

import attrs


@attrs.define
class Backoff:
    """Delays that double from ``first`` to ``cap`` seconds, each spread over its upper half so that devices do not march in step.

    ``random`` returns a number of 0 to 1 (1 excluded).
    """

    first: float
    cap: float
    random: Callable[[], float]
    failures: int = 0

    def next(self) -> float:
        """Count one failure and return the seconds to wait, never more than ``cap``."""
        span = min(self.cap, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return span * (0.5 + 0.5 * self.random())

    def reset(self) -> None:
        """It worked: begin again with ``first``."""
        self.failures = 0
