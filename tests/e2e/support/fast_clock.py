"""A device whose clock is two hours ahead, and jumps at each SIGUSR1: ``fast_clock.py ARGUMENT...``, as for ``hallway``."""

from __future__ import annotations

import itertools
import signal
import time

from hallway.cli.main import main

AHEAD = itertools.chain([7200.0, -2 * 365 * 86_400.0, 3600.0], itertools.repeat(0.0))

_true_time = time.time


def jump(*_: object) -> None:
    ahead = next(AHEAD)
    time.time = lambda: _true_time() + ahead


jump()
signal.signal(signal.SIGUSR1, jump)

if __name__ == "__main__":
    main()
