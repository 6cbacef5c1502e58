"""How much may be under way: counts what was sent and acknowledged, and measures the rate. Pure; `now` is an argument."""

from __future__ import annotations

import attrs

LOWEST = 64 * 1024
HIGHEST = 1024 * 1024
TARGET = 0.5
"""Seconds of data that may be under way."""
WINDOW = 0.05
"""Seconds that one measurement of the rate takes, at least."""
SMOOTHING = 0.3
"""Weight of the newest measurement."""


@attrs.define
class Flow:
    """The budget of one channel, in bytes.

    A measurement runs only while something is under way, so that silence does not count as slowness.
    """

    high_water: int = LOWEST
    """Above this many bytes under way, a sender waits."""
    _rate: float = 0.0
    _since: float | None = None
    _acked: int = 0

    def started(self, now: float) -> None:
        """Something was sent."""
        if self._since is None:
            self._since = now
            self._acked = 0

    def acked(self, size: int, now: float, *, idle: bool) -> None:
        """The peer acknowledged ``size`` bytes; ``idle`` says that nothing is left under way."""
        self._acked += size
        if self._since is not None and now - self._since >= WINDOW:
            self._measure(self._acked / (now - self._since))
            self._since, self._acked = now, 0
        if idle:
            self._since = None

    def _measure(self, rate: float) -> None:
        self._rate += (rate - self._rate) * (SMOOTHING if self._rate else 1.0)
        self.high_water = int(min(max(self._rate * TARGET, LOWEST), HIGHEST))
