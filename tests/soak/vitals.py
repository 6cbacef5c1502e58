"""Memory and open files of each life of a device."""

from __future__ import annotations

import os
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import attrs

WARM_UP = 30.0
"""Seconds of a life that do not count: links and caches fill."""
MEMORY_BOUND = 16.0
"""MB by which a life may grow after that."""
FILES_BOUND = 20
"""Open files that a life may have more at its end than after that."""


class Sample(NamedTuple):
    at: float
    memory_mb: float
    files: int


def sample(pid: int, at: float) -> Sample:
    """Resident memory and open files now.

    Raises:
        OSError: the process has ended.

    """
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return Sample(at, int(line.split()[1]) / 1024, len(os.listdir(f"/proc/{pid}/fd")))


@attrs.define
class Vitals:
    """Samples by device and life."""

    samples: defaultdict[tuple[str, int], list[Sample]] = attrs.field(factory=lambda: defaultdict(list))

    def account(self) -> dict[str, dict[str, Any]]:
        """The longest life of each device."""
        lives: dict[str, list[Sample]] = {}
        for (name, _), samples in sorted(self.samples.items()):
            settled = [each for each in samples if each.at >= samples[0].at + WARM_UP]
            if len(settled) > len(lives.get(name, [])):
                lives[name] = settled
        return {name: _life(samples) for name, samples in lives.items() if len(samples) > 1}


def _life(samples: list[Sample]) -> dict[str, Any]:
    slope = statistics.linear_regression([each.at for each in samples], [each.memory_mb for each in samples]).slope
    seconds = samples[-1].at - samples[0].at
    return {
        "seconds": round(seconds, 1),
        "memory_mb": [round(samples[0].memory_mb, 1), round(samples[-1].memory_mb, 1)],
        "memory_mb_per_hour": round(slope * 3600, 2),
        "memory_grown_mb": round(slope * seconds, 2),
        "files": [samples[0].files, samples[-1].files],
    }
