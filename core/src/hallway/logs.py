"""A filter for log handlers: what is told again and again is told once a minute, with how often it came.

Example::

    handler.addFilter(RepeatFilter())
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from hallway.protocol.throttle import MAX_KEYS, Throttle

PERIOD = 60.0
"""Seconds in which the same line passes once."""


class RepeatFilter(logging.Filter):
    """Lets a line pass once in ``period`` seconds; the next one that passes says how many were left out.

    Lines are the same if they come from one place and name the same things: numbers that differ, such as waits and counts, are no
    difference. What is below INFO always passes.
    """

    def __init__(self, period: float = PERIOD, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._throttle = Throttle(period)
        self._clock = clock
        self._left_out: Counter[Any] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter.filter`."""
        if record.levelno < logging.INFO:
            return True
        key = (record.name, record.levelno, str(record.msg), *_named(record.args))
        if not self._throttle.lets(key, self._clock()):
            self._count(key)
            return False
        if left_out := self._left_out.pop(key, 0):
            record.msg = f"{record.getMessage()} ({left_out} more like this meanwhile)"
            record.args = None
        return True

    def _count(self, key: Any) -> None:
        self._left_out[key] += 1
        if len(self._left_out) > MAX_KEYS:
            # Peers have a part in what lines say: those that never come again must not pile up.
            del self._left_out[next(iter(self._left_out))]


def _named(arguments: Any) -> Iterable[str]:
    """What the arguments of a line name."""
    listed = arguments.values() if isinstance(arguments, dict) else arguments or ()
    return (str(argument) for argument in listed if not isinstance(argument, int | float))
