"""A site of many devices, several of them in each of a few processes."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path
from typing import Any

import attrs
from faults import PATIENCE, now

from netlab import Lab, Process, matching

SCRIPT = Path(__file__).with_name("many_devices.py")
PROCESSES, EACH = 5, 6
MESH_PATIENCE = 120.0
"""Seconds for all links: each is a handshake, and a busy machine has one core for them."""


@attrs.frozen
class Mesh:
    """How a mesh came about: seconds from the last `ready` and from the start, CPU seconds, every link event, and who says it is open."""

    seconds: float
    from_start: float
    cpu: float
    events: list[dict[str, Any]]
    open: dict[str, list[str]]


async def mesh(lab: Lab, processes: int = PROCESSES, each: int = EACH) -> Mesh:
    """Start ``each`` devices in each of ``processes`` together, and wait until all are linked to all others."""
    names = [f"tablet-{number}" for number in range(processes * each)]
    begun, running = now(), []
    for number in range(processes):
        host = lab.lan().host(f"host-{number}")
        running.append(await host.spawn([sys.executable, str(SCRIPT), "mesh", *names[number * each : (number + 1) * each]]))
    ready = max(await asyncio.gather(*(_ready(process) for process in running)))
    expected = len(names) * (len(names) - 1) // processes
    linked, told = zip(*await asyncio.gather(*(_links(process, expected) for process in running)), strict=True)
    asked = [await _status(process) for process in running]
    events = list(itertools.chain(*told, *[(line.json or {} for line in process.unread) for process in running]))
    for process in running:
        process.close_stdin()
    assert await asyncio.gather(*(process.wait(PATIENCE) for process in running)) == [0] * processes
    is_open = {name: peers for status in asked for name, peers in status["open"].items()}
    return Mesh(max(linked) - ready, max(linked) - begun, sum(status["cpu"] for status in asked), events, is_open)


async def _ready(process: Process) -> float:
    await process.wait_for(matching(event="ready"), PATIENCE)
    return now()


async def _links(process: Process, expected: int) -> tuple[float, list[dict[str, Any]]]:
    """When the process had as many links, counting those that were lost, and what it told until then."""
    told: list[dict[str, Any]] = []
    linked: set[tuple[str, str]] = set()
    async with asyncio.timeout(MESH_PATIENCE):
        while len(linked) < expected:
            told.append(line := await process.read_json_line(MESH_PATIENCE))
            pair = line.get("device", ""), line.get("peerId", "")
            if line["event"] == "peer-connected":
                linked.add(pair)
            elif line["event"] == "peer-disconnected":
                linked.discard(pair)
    return now(), told


async def _status(process: Process) -> dict[str, Any]:
    await process.send_json("status")
    return await process.wait_for(matching(event="status"), PATIENCE)
