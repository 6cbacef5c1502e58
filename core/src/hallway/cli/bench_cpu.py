"""How much of a processor this process has used, and how long it has waited for one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

import attrs

SCHEDSTAT = Path("/proc/self/schedstat")
"""Of the main thread, in which the event loop runs: nanoseconds on a processor, then waiting for one (Linux: schedstat)."""


@attrs.frozen
class Cpu:
    """Seconds, or shares of one core: ``used`` by all threads, and ``waited`` for a core that others had, as far as the system tells."""

    used: float
    waited: float

    @classmethod
    def now(cls) -> Self:
        """Since this process began."""
        try:
            waited = int(SCHEDSTAT.read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            waited = 0.0
        return cls(time.process_time(), waited)

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


NONE = Cpu(0.0, 0.0)
"""Of what takes none that counts."""
