"""Tries one cell with processes of this Python, on the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import attrs

from hallway.cli.child import Child
from plugin_matrix.cells import DEVICES, Cell
from plugin_matrix.exchange import Failed, Link, Send, ended, exchange, goodbye

ONE_PROCESS = Path(__file__).with_name("one_process.py")
PATIENCE = 40.0
"""Seconds for a whole cell."""
LOG_LEVEL = "error"


@attrs.frozen
class Outcome:
    """How a cell went. ``ms``: from found to linked, at the slower end."""

    cell: Cell
    ok: bool
    ms: float | None = None
    problem: str = ""


async def outcome_of(cell: Cell) -> Outcome:
    """Try ``cell``; what goes wrong is part of the outcome."""
    try:
        async with asyncio.timeout(PATIENCE):
            links = await attempt(cell)
    except (Failed, TimeoutError, BaseExceptionGroup) as error:
        return Outcome(cell, ok=False, problem=f"{type(error).__name__}: {error}")
    return Outcome(cell, ok=True, ms=max(link.ms for link in links))


async def attempt(cell: Cell) -> list[Link]:
    """Link two devices by ``cell``, let them talk and close them; raises `Failed` if anything is not as it must be."""
    property_id = f"matrix-{secrets.token_hex(4)}"
    async with _signal_server() if cell.needs_server else contextlib.nullcontext("") as server:
        runner = _in_one_process if cell.shares_process else _in_two_processes
        links = await runner(cell, property_id, server)
    if any((link.signaling, link.channel) != (cell.signaling, cell.channel) for link in links):
        raise Failed(f"linked by something else: {links}")
    return links


async def _in_one_process(cell: Cell, property_id: str, server: str) -> list[Link]:
    arguments = (sys.executable, "-W", "error", str(ONE_PROCESS), ",".join(cell.names), property_id, server)
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or err:
        raise Failed(f"status {process.returncode}: {err.decode()}")
    return [Link(**link) for link in json.loads(out)]


async def _in_two_processes(cell: Cell, property_id: str, server: str) -> list[Link]:
    site = cell.site(property_id, server)
    async with _device(cell.settings(0, site)) as one, _device(cell.settings(1, site)) as two:
        events = one.events(), two.events()
        links = await asyncio.gather(exchange(events[0], _to(one, DEVICES[1])), exchange(events[1], _to(two, DEVICES[0])))
        await one.command(command="quit")
        await goodbye(events[1])
        await ended(events[0])
    return list(links)


def _to(device: Child, peer_id: str) -> Send:
    return lambda number: device.command(command="send-to-peer", peerId=peer_id, message=number)


@contextlib.asynccontextmanager
async def _device(settings: list[str]) -> AsyncIterator[Child]:
    child = await Child.start("device", settings, LOG_LEVEL)
    try:
        yield child
    finally:
        status = await child.stop()
    if status:
        raise Failed(f"a device ended with status {status}")


@contextlib.asynccontextmanager
async def _signal_server() -> AsyncIterator[str]:
    """The URL of a signal server of its own."""
    server = await Child.serve(0, LOG_LEVEL)
    try:
        async with contextlib.aclosing(server.events()) as events:
            yield (await anext(events))["listen"][0]
    finally:
        status = await server.stop()
    if status:
        raise Failed(f"the signal server ended with status {status}")
