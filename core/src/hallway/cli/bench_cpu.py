"""How much of a processor this process has used, and how long it has waited for one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

import attrs

SCHEDSTAT = {"process": Path("/proc/self/schedstat"), "thread": Path("/proc/thread-self/schedstat")}
"""Of the main thread, in which the event loop runs, and of the calling one: nanoseconds on a processor, then waiting for one (Linux)."""


@attrs.frozen
class Cpu:
    """Seconds, or shares of one core: ``used`` by all threads, and ``waited`` for a core that others had, as far as the system tells."""

    used: float
    waited: float

    @classmethod
    def now(cls) -> Self:
        """Since this process began: of all its threads, but for the waiting, which is that of the event loop."""
        return cls(time.process_time(), _waited("process"))

    @classmethod
    def of_thread(cls) -> Self:
        """Since the calling thread began."""
        return cls(time.thread_time(), _waited("thread"))

    def since(self, earlier: Cpu) -> Cpu:
        """What has been added."""
        return Cpu(self.used - earlier.used, self.waited - earlier.waited)

    def per(self, seconds: float) -> Cpu:
        """As shares of one core over so many seconds."""
        return Cpu(self.used / seconds, self.waited / seconds)

    @property
    def wanted(self) -> float:
        """What the process would use if it never had to wait."""
        return self.used + self.waited


def _waited(whose: str) -> float:
    try:
        return int(SCHEDSTAT[whose].read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


NONE = Cpu(0.0, 0.0)
"""Of a device that had nothing to do."""
