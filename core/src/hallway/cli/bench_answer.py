"""``hallway bench answer``: the device that answers, and nothing else."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import click

from hallway.cli.bench_device import BenchPeer, alone, apart, store_folder
from hallway.cli.bench_disk import scratch
from hallway.cli.bench_server import BenchServer
from hallway.cli.device import started
from hallway.cli.options import config_options, json_option, log_level_option
from hallway.config import Config, load_config
from hallway.errors import NoSignalingError
from hallway.model import Mode
from hallway.runtime.membership.security import Security

logger = logging.getLogger(__name__)


@click.command()
@click.option("--store", metavar="FOLDER", type=click.Path(), help="The folder whose disk is measured; default: that of [delivery].store.")
@click.option("--once", is_flag=True, help="Stop after one benchmark.")
@config_options
@json_option
@log_level_option
def answer(store: str | None, once: bool, config_path: str | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Answer benchmarks of other devices, until SIGTERM or SIGINT (Ctrl-C).

    It starts the device of the configuration, with its network and its plugins, beside its property: it takes no message of the real
    devices and they do not see it, and its store is a file that is removed at the end. Enrolled devices answer enrolled ones of their
    property only. Stop the device itself first, if it runs on this machine.

    \b
    Example:
      hallway bench answer --config desk.toml
      hallway bench answer --state /var/lib/hallway/trust

    Exit status: 0 once it was told to stop or --once is done, 2 if there is a mistake in the configuration, else 1.
    """
    config = load_config(config_path, overrides=overrides)
    asyncio.run(_answer(config, store_folder(config, store), once=once, as_json=as_json))


async def _answer(config: Config, folder: Path | None, *, once: bool, as_json: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with alone(config, Security.of(config).device_id):
        with scratch(folder) as own:
            device = BenchPeer(apart(config, own))
            try:
                if await started(device, stop):
                    await _serve(device, own, stop, once=once, as_json=as_json)
            finally:
                await device.aclose()


async def _serve(device: BenchPeer, folder: Path | None, stop: asyncio.Event, *, once: bool, as_json: bool) -> None:
    def tell(event: str, text: str, **facts: Any) -> None:
        click.echo(json.dumps({"event": event, **facts}) if as_json else text)

    def ended(peer_id: str) -> None:
        tell("measured", f"{peer_id} has ended its benchmark", peerId=peer_id)
        if once:
            stop.set()

    if device.signaling_mode == Mode.NONE.value:
        raise NoSignalingError({each["plugin"]: each["reason"] for each in device.status()["signaling"]})
    async with BenchServer(device, folder, begun=lambda peer_id: tell("measuring", f"{peer_id} measures", peerId=peer_id), ended=ended):
        listen = list(device.listen)
        text = f"{device.device_id} answers benchmarks, at {', '.join(listen)}. On the other device: hallway bench run {device.device_id}"
        tell("ready", text, deviceId=device.device_id, propertyId=device.property_id, listen=listen, pid=os.getpid())
        await stop.wait()
