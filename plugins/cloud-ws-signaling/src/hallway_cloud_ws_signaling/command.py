"""``hallway signal-server``: one signal server, until it is told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import signal

import click

from hallway.cli.options import LOGGED, json_option, log_level_option
from hallway.errors import SignalingUnavailable
from hallway_cloud_ws_signaling._limits import Limits

_DEFAULTS = Limits()


@click.command("signal-server")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 is every IPv4 one, :: every IPv6 one.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="TCP port; 0 is any free one.")
@click.option(
    "--room-devices", default=_DEFAULTS.room, show_default=True, type=click.IntRange(1, _DEFAULTS.room), help="Devices in one room."
)
@click.option("--connections", default=_DEFAULTS.connections, show_default=True, type=click.IntRange(1), help="Connections in all.")
@click.option(
    "--address-connections",
    default=_DEFAULTS.address_connections,
    show_default=True,
    type=click.IntRange(1),
    help="Connections of one address; behind a reverse proxy, as many as in all.",
)
@click.option("--rate", default=_DEFAULTS.rate, show_default=True, type=click.FloatRange(1), help="Messages a second of one device.")
@click.option("--burst", default=_DEFAULTS.burst, show_default=True, type=click.FloatRange(2), help="Messages of one device at once.")
@json_option
@log_level_option
def signal_server(
    host: str, port: int, room_devices: int, connections: int, address_connections: int, rate: float, burst: float, as_json: bool
) -> None:
    """Let devices of one property find and reach each other through this machine, until SIGTERM or SIGINT.

    With --json, stdout carries one line, {"event": "ready", "listen": [...], "pid": ...}; its URLs go into [plugins.cloud-ws].url as they
    are. GET /health on the same port tells whether it works.

    \b
    Example:
      hallway signal-server --host 0.0.0.0 --port 8765

    Exit status: 0 once it was told to stop, 1 if it cannot listen.
    """
    click.get_current_context().meta[LOGGED] = True
    limits = Limits(rate=rate, burst=burst, room=room_devices, connections=connections, address_connections=address_connections)
    asyncio.run(_run(_address(host), port, limits, as_json=as_json))


def _address(host: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError as error:
        raise SignalingUnavailable(f"{host} is no IP address", hint="give an address of this machine, or 0.0.0.0 for all") from error


async def _run(host: str, port: int, limits: Limits, *, as_json: bool) -> None:
    from hallway_cloud_ws_signaling.server import SignalServer

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = SignalServer(limits)
    await server.start(host, port)
    try:
        click.echo(_ready(server.urls(), as_json=as_json))
        await stop.wait()
    finally:
        await server.aclose()


def _ready(urls: tuple[str, ...], *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"event": "ready", "listen": list(urls), "pid": os.getpid()})
    return f"The signal server is up at {', '.join(urls) or 'no address that devices could reach'}. Ctrl-C ends it."
