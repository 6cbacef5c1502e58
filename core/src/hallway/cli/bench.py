"""``hallway bench``: how fast two of the operator's own devices talk, beside what their channel and their disks could do."""

from __future__ import annotations

import click

from hallway.cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "answer": Lazy("hallway.cli.bench_answer:answer", "Answer benchmarks of other devices: start this on one device."),
    "run": Lazy("hallway.cli.bench_run:run", "Measure between this device and one that answers: start this on the other."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def bench() -> None:
    """Measure between two of your own devices, beside the bare channel and the disks, in the same run.

    \b
    Example:
      hallway bench answer --config desk.toml             on the desk
      hallway bench run desk --config tablet-1.toml       on the tablet
    """
