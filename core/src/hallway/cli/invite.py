"""``hallway invite``: let another device join."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from hallway.cli.options import json_option, log_level_option
from hallway.cli.trust_options import state_option


@click.command()
@state_option
@click.option("--yes", is_flag=True, help="Admit the holder of the short code without asking.")
@click.option("--no-code", is_flag=True, help="Show no short code: then no stranger can use the three attempts up.")
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    help="TCP port to listen on while the device does not run.  [default: 8090 to 8099]",
)
@click.option("--interface", "interfaces", metavar="GLOB", multiple=True, default=("*",), help="Which network interfaces to use then.")
@json_option
@log_level_option
def invite(state: Path, yes: bool, no_code: bool, port: int | None, interfaces: Sequence[str], as_json: bool) -> None:
    """Open a window of five minutes and three attempts in which one device may join; show a QR code and a short code.

    Works on an admin, while the device runs and while it does not. Whoever has the QR code or its text is admitted; whoever has the short
    code is admitted by the person here, who compares the four characters on both screens, or by --yes. With --json the first line has
    "invitation", "code" and "expires", and each attempt, question ("asking"), enrolment and the end ("closed") is one line more; a question
    is answered by a line "yes" or "no" on stdin.

    \b
    Example:
      hallway invite --state /var/lib/hallway/trust
      hallway invite --state /var/lib/hallway/trust --json --yes

    Exit status: 0 if a device was enrolled, 2 if the command line is wrong, 1 for any other failure.
    """
    from hallway.cli.invite_run import run

    raise SystemExit(0 if asyncio.run(run(state, port, interfaces, yes=yes, code=not no_code, as_json=as_json)) else 1)
