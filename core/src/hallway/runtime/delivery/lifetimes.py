"""How long a message may wait, as callers say it."""

from __future__ import annotations

import math
from typing import Any

from hallway.errors import MisuseError

FOR_EVER = 100 * 366 * 86400.0
"""Seconds that are as good as no limit; more counts as that much."""


def milliseconds(ttl: Any) -> int | None:
    """A time to live in seconds as milliseconds, at least 1; None means no limit.

    Raises:
        MisuseError: it is no finite number above 0.

    """
    if ttl is None:
        return None
    if type(ttl) not in (int, float) or not 0 < ttl < math.inf:
        raise MisuseError(f"'ttl' is a number of seconds above 0, not {ttl!r}", hint="leave it out for a message that may wait for ever")
    seconds: float = min(ttl, FOR_EVER)
    return max(1, round(seconds * 1000))
