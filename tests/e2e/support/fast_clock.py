"""A device whose clock is two hours ahead: ``fast_clock.py ARGUMENT...``, as for ``hallway``."""

from __future__ import annotations

import time

from hallway.cli.main import main

AHEAD = 7200.0

_true_time = time.time
time.time = lambda: _true_time() + AHEAD

if __name__ == "__main__":
    main()
