"""``hallway bench run``: measures between this device and one that answers."""

from __future__ import annotations

import asyncio
import json
import signal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from hallway.cli import bench_plot
from hallway.cli.bench_client import Outcome, measure
from hallway.cli.bench_device import BenchPeer, alone, apart, store_folder
from hallway.cli.bench_disk import scratch
from hallway.cli.bench_report import as_json as to_json
from hallway.cli.bench_report import table
from hallway.cli.options import config_options, json_option, log_level_option
from hallway.config import Config, load_config
from hallway.model import is_device_id, same_device
from hallway.runtime.membership.security import Security

INTERRUPTED = 130
"""The exit status that shells give to Ctrl-C."""


@click.command()
@click.argument("peer")
@click.option(
    "--patience", metavar="SECONDS", default=20.0, show_default=True, type=click.FloatRange(1, 600), help="Seconds to wait for the link."
)
@click.option(
    "--rounds", metavar="COUNT", default=3, show_default=True, type=click.IntRange(1, 100), help="How often everything is measured."
)
@click.option(
    "--seconds", metavar="SECONDS", default=1.0, show_default=True, type=click.FloatRange(0.05, 60), help="How long one measurement takes."
)
@click.option("--store", metavar="FOLDER", type=click.Path(), help="The folder whose disk is measured; default: that of [delivery].store.")
@click.option(
    "--plot", "picture", metavar="FILE", type=click.Path(path_type=Path), help="Also draw it (.png, .svg, .pdf); needs matplotlib."
)
@config_options
@json_option
@log_level_option
def run(
    peer: str, picture: Path | None, store: str | None, config_path: str | None, overrides: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Measure between this device and PEER, on which `hallway bench answer` runs.

    Each number of hallway stands beside what the bare channel, or the disks alone, reach between the same two devices in the same run: the
    round trip of a message, small and large messages per second, and durable messages per second that the peer has acknowledged. A
    sentence says what limits them. Progress goes to stderr. Stop the device itself first, if it runs on this machine.

    \b
    Example:
      hallway bench run desk --config tablet-1.toml
      hallway bench run desk --state /var/lib/hallway/trust --json --plot bench.png

    Exit status: 0, 2 if the command line or the configuration is wrong, 130 if it was interrupted (Ctrl-C), else 1.
    """
    if not is_device_id(peer):
        raise click.BadParameter(f"{peer!r} is no device id", param_hint="PEER")
    config = load_config(config_path, overrides=overrides)
    if same_device(peer, Security.of(config).device_id):
        raise click.BadParameter(f"{peer} is this device itself; name the other one", param_hint="PEER")
    if picture is not None:
        bench_plot.check(picture)
    outcome = asyncio.run(_interruptible(config, peer, store_folder(config, store), options))
    if outcome is None:
        click.echo("interrupted", err=True)
        raise SystemExit(INTERRUPTED)
    click.echo(json.dumps(to_json(outcome)) if as_json else table(outcome))
    if picture is not None:
        bench_plot.plot(outcome, picture)


async def _interruptible(config: Config, peer: str, folder: Path | None, options: dict[str, Any]) -> Outcome | None:
    """None if a signal came first."""
    running = asyncio.ensure_future(_run(config, peer, folder, options))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    await asyncio.wait([running])
    return None if running.cancelled() else running.result()


async def _run(config: Config, peer: str, folder: Path | None, options: dict[str, Any]) -> Outcome:
    async with alone(config, Security.of(config).device_id):
        with scratch(folder) as own:
            device = BenchPeer(apart(config, own))
            try:
                return await measure(device, peer, own, version=version("hallway"), tell=lambda text: click.echo(text, err=True), **options)
            finally:
                await device.aclose()
