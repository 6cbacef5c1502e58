"""How a device lives, as its configuration has it."""

from __future__ import annotations

from pathlib import Path

import attrs

from hallway.protocol.heartbeat import Timing


@attrs.frozen
class Habits:
    """How a device lives: the times of its heartbeat, and what it keeps where and for how long."""

    timing: Timing = attrs.field(factory=Timing)
    last_good: str | None = None
    """The file of its peers' last-good addresses."""
    remembered: float = 30 * 86400.0
    """Seconds for which a peer that is away is sent what is for everybody."""
    purges_revoked: bool = True
    """Whether messages that wait for a device that is revoked are deleted; otherwise they are kept, and not sent."""
    control: Path | None = None
    """Where the control socket is made; None: there is none."""
