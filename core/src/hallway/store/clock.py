"""The store's own time: milliseconds that go on through sleep and restarts, and know nothing of dates."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_THIS_PROCESS = uuid.uuid4().hex


class Machine:
    """This machine's clock and its boot. Where the system tells neither, every process start counts as a boot."""

    def reading(self) -> int:
        """Milliseconds on a clock that is never set and runs on during sleep where there is such a one (CLOCK_BOOTTIME)."""
        clock = getattr(time, "CLOCK_BOOTTIME", None)
        return (time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)) // 1_000_000

    def boot(self) -> str:
        """What names the current boot: readings of one boot can be compared."""
        if not hasattr(time, "CLOCK_BOOTTIME"):
            return _THIS_PROCESS
        try:
            return BOOT_ID.read_text().strip()
        except OSError:
            return _THIS_PROCESS


class Clock:
    """Counts on from a saved value: with what has passed since it was saved if that was in the same boot, without it after a reboot."""

    def __init__(self, machine: Machine, value: int, reading: int, boot: str) -> None:
        self.boot = machine.boot()
        self._machine = machine
        self._start = machine.reading()
        self._base = value + (max(0, self._start - reading) if boot == self.boot else 0)

    def now(self) -> int:
        """Milliseconds of the store's life that are known to have passed."""
        return self.read()[0]

    def read(self) -> tuple[int, int]:
        """The same, and the machine's reading that goes with it."""
        reading = self._machine.reading()
        return self._base + max(0, reading - self._start), reading
