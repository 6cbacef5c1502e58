"""``hallway bench``: how fast two of the operator's own devices talk, beside what their channel and their disks could do."""

from __future__ import annotations

import click

from hallway.cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "answer": Lazy("hallway.cli.bench_answer:answer", "Answer benchmarks of other devices: start this on one device."),
    "run": Lazy("hallway.cli.bench_run:run", "Measure between this device and one that answers: start this on the other."),
}


class BenchGroup(LazyGroup):
    """The sub-commands, of which ``run`` may be left out before the name of a peer."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """``desk`` is ``run desk``."""
        is_peer = bool(args) and args[0] not in self.list_commands(ctx) and not args[0].startswith("-")
        return super().resolve_command(ctx, ["run", *args] if is_peer else args)


@click.group(cls=BenchGroup, lazy=COMMANDS)
def bench() -> None:
    """Measure between two of your own devices, beside the bare channel and the disks, in the same run.

    Start "answer" on one device, then measure on the other: "hallway bench PEER" is short for "hallway bench run PEER".

    \b
    Example:
      hallway bench answer --config desk.toml             on the desk
      hallway bench desk --config tablet-1.toml           on the tablet

    Exit status: 0, 2 if the command line or the configuration is wrong, 130 if it was interrupted (Ctrl-C), else 1.
    """
