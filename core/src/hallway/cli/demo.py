"""``hallway demo``: several devices on this machine, as processes of their own, over the real network."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING

import click

from hallway.cli.options import LOG_LEVEL, json_option, log_level_option

if TYPE_CHECKING:
    from hallway.cli.demo_run import DemoRun, View
    from hallway.cli.demo_summary import Summary

INTERRUPTED = 130
"""The exit status that shells give to Ctrl-C."""
LOOPBACK = ("lo", "lo0", "Loopback*")
"""What the loopback interface is called on Linux, macOS and Windows."""


@click.command()
@click.option("--devices", metavar="COUNT", default=4, show_default=True, type=click.IntRange(2, 8), help="How many devices to start.")
@click.option(
    "--messages",
    metavar="COUNT",
    default=25,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Broadcasts of each device in each act.",
)
@click.option(
    "--pace",
    metavar="SECONDS",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0, 10),
    help="Seconds between broadcasts, so that one can watch.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    default=120.0,
    show_default=True,
    type=click.FloatRange(5, 600),
    help="Seconds after which the demo gives up.",
)
@click.option("--network", is_flag=True, help="Use this machine's network interfaces; without it nothing leaves the machine.")
@json_option
@log_level_option
def demo(devices: int, messages: int, pace: float, timeout: float, network: bool, as_json: bool) -> None:
    """Show devices of one site finding each other, and what they do when something fails, on this machine alone.

    Every device is a process of its own (`hallway up --json`). They find each other by mDNS, exchange offers and answers over HTTP and talk
    over WebRTC data channels: no internet, no server, and without --network not even a network. Then a signal server starts and one device
    loses its LAN path, the signal server stops, and that device is restarted. In every act each broadcasts messages to all others, and the
    demo ends by itself. Without hallway-cloud-ws-signaling the acts with the signal server are left out.

    \b
    Example:
      hallway demo --devices 6

    Exit status: 0 if every expected message arrived, 130 if it was interrupted (Ctrl-C), else 1.
    """
    from hallway.cli.demo_run import DemoRun
    from hallway.cli.demo_view import view_for

    # The devices would warn that open mode proves nothing, which nobody needs to hear of a demo.
    log_level = click.get_current_context().meta.get(LOG_LEVEL, "error")
    run = DemoRun(devices, messages, ("*",) if network else LOOPBACK, pace, log_level)
    summary = asyncio.run(_play(run, view_for(sys.stdout, quiet=as_json), timeout))
    click.echo(json.dumps(summary.as_json()) if as_json else summary.text())
    sys.exit(0 if summary.complete else INTERRUPTED if run.interrupted else 1)


async def _play(run: DemoRun, view: View, timeout: float) -> Summary:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, run.interrupt)
    return await run.play(view, timeout)
