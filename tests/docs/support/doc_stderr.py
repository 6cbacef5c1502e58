"""What a program may say on stderr."""

from __future__ import annotations

from hallway.trust import OpenGuard
from netlab import Process

EXPECTED = OpenGuard.caution
"""What every device in open mode warns of."""


def complaints(process: Process) -> list[str]:
    """The lines on stderr that nobody expects."""
    return [line for line in process.stderr_lines if EXPECTED not in line]
