"""Whether this device has slept, from two clocks that are asked once a second."""

from __future__ import annotations

import attrs

INTERVAL = 1.0
"""Seconds from one tick to the next."""
LATE = 2.0
"""Seconds by which a tick must be late to count: a loaded machine is no sleeper."""


@attrs.define
class SleepWatch:
    """Notices ticks that come late, by the clock that went on meanwhile.

    A stopped process misses time of the monotonic clock; that one stands still while the machine is suspended, and the boot-time clock does
    not (clock_gettime(2)). Neither knows the time of day, so setting that is no sleep. Where there is only one clock it is given twice.
    """

    _last: tuple[float, float] | None = attrs.field(default=None, init=False)

    def tick(self, monotonic: float, boottime: float) -> float | None:
        """Take in both clocks (seconds). Returns the seconds that were slept since the last tick, or None for a tick in time."""
        last, self._last = self._last, (monotonic, boottime)
        if last is None:
            return None
        late = max(monotonic - last[0], boottime - last[1]) - INTERVAL
        return late if late > LATE else None
