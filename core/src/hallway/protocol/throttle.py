"""How often the same thing is told. Pure; `now` is an argument."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import attrs

MAX_KEYS = 1024
"""Things that are remembered; the one that was told longest ago is forgotten first."""


@attrs.define
class Throttle:
    """Lets each thing (its key) through once in ``period`` seconds."""

    period: float
    _told: OrderedDict[Any, float] = attrs.field(factory=OrderedDict)

    def lets(self, key: Any, now: float) -> bool:
        """Whether to tell now, and count it if so."""
        told = self._told.get(key)
        if told is not None and now < told + self.period:
            return False
        self._told[key] = now
        self._told.move_to_end(key)
        if len(self._told) > MAX_KEYS:
            self._told.popitem(last=False)
        return True

    def forget(self, matches: Callable[[Any], bool]) -> None:
        """Let the things whose key ``matches`` through at once the next time."""
        for key in [key for key in self._told if matches(key)]:
            del self._told[key]
