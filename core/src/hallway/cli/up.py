"""``hallway up``: runs one device until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import Any

import click

from hallway.cli.options import LOGGED, config_options, json_option, log_level_option

logger = logging.getLogger(__name__)

STOPPERS = (signal.SIGTERM, signal.SIGINT)
IN_MEMORY = (
    "messages that wait are kept in memory only, and are lost with this process; to keep them on disk, name a file in [delivery].store"
)
"""What an operator is told of a device without a store."""
REPORTS = "hallway.runtime.links.reports"
"""Its warnings are events too: whoever reads both at one terminal is to read them once."""


@click.command()
@config_options
@json_option
@log_level_option
def up(config_path: str | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Run one device until SIGTERM, SIGINT or the command "quit"; it keeps trying through any outage.

    With --json, stdout carries one event a line, and stdin takes one command a line: send-to-peer, broadcast, status, quit.

    \b
    Example:
      hallway up --state /var/lib/hallway/trust
      hallway up --config tablet-1.toml
      echo '{"command": "status"}' | hallway up --config tablet-1.toml --json

    Exit status: 0 once it was told to stop, 2 if there is a mistake in the configuration, 1 for any other failure.
    """
    click.get_current_context().meta[LOGGED] = True
    # Until the loop takes the signals over, there is nothing to say goodbye to.
    for number in STOPPERS:
        # An exception raised in the middle of an import may be swallowed there.
        signal.signal(number, lambda *_: os._exit(0))
    from hallway.config import load_config
    from hallway.peer import create_peer

    peer = create_peer(load_config(config_path, overrides=overrides))
    asyncio.run(_run(peer, as_json=as_json))


async def _run(peer: Any, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPPERS:
        loop.add_signal_handler(number, stop.set)
    if as_json:
        from hallway.cli.device import JsonDevice

        if peer.config.delivery.store is None:
            logger.warning("%s", IN_MEMORY)
        await JsonDevice(peer, stop).run()
    else:
        await _run_for_people(peer, stop)
    # The loop gives the signals back when it closes: one more must not end with a failure what is as good as ended.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPERS)


async def _run_for_people(peer: Any, stop: asyncio.Event) -> None:
    from hallway.cli.device import started
    from hallway.cli.json_lines import FLUSH_SECONDS, LineWriter
    from hallway.events import SignalingMode

    if sys.stdout.isatty() and sys.stderr.isatty():
        logging.getLogger(REPORTS).addFilter(lambda record: record.levelno != logging.WARNING)
    writer = LineWriter(1)
    is_up = False
    events = peer.events(lambda event: is_up or not isinstance(event, SignalingMode))
    try:
        if await started(peer, stop):
            is_up = True
            telling = asyncio.create_task(_tell(peer, events, writer))
            await stop.wait()
            await peer.aclose()
            # A terminal that is held must not keep a closed device alive.
            await asyncio.wait([telling], timeout=FLUSH_SECONDS)
            telling.cancel()
    finally:
        await peer.aclose()
        await writer.aclose()


async def _tell(peer: Any, events: Any, writer: Any) -> None:
    from hallway.cli.narration import sentence

    listen = ", ".join(peer.listen) or "not reachable"
    await writer.write_text(f"{peer.device_id} of {peer.property_id} is up, signaling {peer.signaling_mode}: {listen}")
    if peer.config.delivery.store is None:
        await writer.write_text(IN_MEMORY)
    async for event in events:
        await writer.write_text(sentence(event))
