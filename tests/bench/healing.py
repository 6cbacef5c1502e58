"""How soon a link is back after what breaks it, and what a mesh of thirty costs: hallway beside bare aiortc where that can do it at all."""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

from faults import Site, asleep, down_and_up, move, now, relinked, together
from mesh import EACH, PROCESSES, mesh

from netlab import Host, Lab, Process, matching

HERE = Path(__file__).parent
OUTAGE = 10.0
"""Seconds for which two devices are apart, or one is stopped."""
PATIENCE = 60.0
MESH_PORT = 9100
Pair = tuple[Host, Host]


async def healing(rounds: int, mesh_rounds: int) -> dict[str, Any]:
    """All of this section. What bare aiortc takes half a minute for waits beside the other measurements."""
    async with Lab() as lab:
        slow = asyncio.gather(_bare(lab, "killed", _bare_killed), _bare(lab, "address", _bare_moved))
        bare = {name: await _bare_rounds(lab, name, rounds, seconds) for name, seconds in BARE.items()}
        ours = {name: await _our_rounds(lab, rounds, seconds) for name, seconds in OURS.items()}
        noticed = dict(zip(("notice_killed", "notice_moved"), await slow, strict=True))
    return {
        "bare": {name: summary([seconds]) for name, seconds in noticed.items()} | {name: summary(each) for name, each in bare.items()},
        "hallway": {name: summary(each) for name, each in ours.items()},
        "outage": OUTAGE,
        "mesh": await meshes(mesh_rounds),
    }


def summary(seconds: list[float]) -> dict[str, Any]:
    return {"median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds), "all_s": seconds}


async def _our_rounds(lab: Lab, rounds: int, measure: Callable[[Site], Awaitable[float]]) -> list[float]:
    """One after the other, so that none has to wait for another one's CPU."""
    figures = []
    for _ in range(rounds):
        async with Site(lab) as site:
            figures.append(await measure(site))
    return figures


async def _notice_killed(site: Site) -> float:
    one, two = await site.pair()
    killed = now()
    await two.kill()
    return (await one.until(event="peer-disconnected", since=killed)).at - killed


async def _returned(site: Site) -> float:
    one, two = await site.pair()
    await two.kill()
    await one.until(event="peer-disconnected")
    return await relinked(one, two, await two.start())


async def _parted(site: Site) -> float:
    one, two = await site.pair()
    return await relinked(one, two, await down_and_up(one, two, OUTAGE))


async def _stopped(site: Site) -> float:
    one, two = await site.pair()
    return await relinked(one, two, await asleep(two, OUTAGE))


async def _moved(site: Site) -> float:
    one, two = await site.pair()
    move(two.host, 90)
    return await relinked(one, two, now())


OURS = {"notice_killed": _notice_killed, "returned": _returned, "parted": _parted, "stopped": _stopped, "moved": _moved}


async def _bare(lab: Lab, name: str, measure: Callable[[Pair, Process, Process], Awaitable[float]]) -> float:
    """Measure with a pair of bare processes on a LAN of its own."""
    one, two = (lab.lan(f"bare-{name}").host(f"{name}-{number}") for number in (1, 2))
    script = [sys.executable, str(HERE / "bare_link.py")]
    server = await two.spawn([*script, "serve", "9000"])
    await server.wait_for(matching(event="ready"), PATIENCE)
    client = await one.spawn([*script, "dial", two.address, "9000"])
    await asyncio.gather(*(process.wait_for(matching(event="message"), PATIENCE) for process in (server, client)))
    try:
        return await measure((one, two), client, server)
    finally:
        await client.kill()
        await server.kill()


async def _bare_rounds(lab: Lab, name: str, rounds: int, measure: Callable[[Pair, Process, Process], Awaitable[float]]) -> list[float]:
    return await together(_bare(lab, f"{name}-{number}", measure) for number in range(rounds))


async def _lost(process: Process) -> float:
    """When aiortc says that the connection is not connected any more."""
    await process.wait_for(lambda line: line["event"] == "state" and line["state"] in {"failed", "closed", "disconnected"}, PATIENCE)
    return now()


async def _bare_killed(hosts: Pair, client: Process, server: Process) -> float:
    killed = now()
    await server.kill()
    return await _lost(client) - killed


async def _bare_moved(hosts: Pair, client: Process, server: Process) -> float:
    """Seconds until both ends say that they lost each other; they stay so."""
    move(hosts[1], 90)
    moved = now()
    return max(await asyncio.gather(_lost(client), _lost(server))) - moved


async def _bare_parted(hosts: Pair, client: Process, server: Process) -> float:
    with hosts[0].partition_from(hosts[1]):
        await asyncio.sleep(OUTAGE)
    return await _through(client, server, now())


async def _bare_stopped(hosts: Pair, client: Process, server: Process) -> float:
    server.send_signal(SIGSTOP)
    await asyncio.sleep(OUTAGE)
    server.send_signal(SIGCONT)
    return await _through(client, server, now())


async def _through(client: Process, server: Process, since: float) -> float:
    async def first(process: Process) -> float:
        await process.wait_for(lambda line: line["event"] == "message" and line["sent"] >= since, PATIENCE)
        return now()

    return max(await asyncio.gather(first(client), first(server))) - since


BARE = {"parted": _bare_parted, "stopped": _bare_stopped}


async def meshes(rounds: int) -> dict[str, Any]:
    """Thirty devices in five processes, all linked to all, in turn bare and by hallway."""
    found: dict[str, list[dict[str, float]]] = {"bare": [], "hallway": []}
    for _ in range(rounds):
        async with Lab() as lab:
            found["bare"].append(await _bare_mesh(lab))
        async with Lab() as lab:
            made = await mesh(lab)
        found["hallway"].append({"seconds": made.seconds, "from_start": made.from_start, "cpu": made.cpu})
    typical = {name: {key: statistics.median(each[key] for each in rows) for key in rows[0]} for name, rows in found.items()}
    ratios = {key: typical["hallway"][key] / typical["bare"][key] for key in typical["bare"]}
    return {**typical, "ratio_hallway_to_bare": ratios, "devices": PROCESSES * EACH, "processes": PROCESSES, "rounds": rounds}


async def _bare_mesh(lab: Lab) -> dict[str, float]:
    begun = now()
    hosts = [lab.lan().host(f"host-{number}") for number in range(PROCESSES)]
    script = [sys.executable, str(HERE / "bare_mesh.py")]
    running = [await host.spawn([*script, str(number), str(EACH), str(MESH_PORT)]) for number, host in enumerate(hosts)]
    for process in running:
        await process.wait_for(matching(event="ready"), PATIENCE)
    ready = now()
    for process in running:
        await process.send_json([host.address for host in hosts])
    ends = EACH * (PROCESSES * EACH - 1)
    await asyncio.gather(*(_opened(process, ends) for process in running))
    linked, cpu = now(), 0.0
    for process in running:
        await process.send_json("status")
        cpu += (await process.wait_for(matching(event="status"), PATIENCE))["cpu"]
        await process.kill()
    return {"seconds": linked - ready, "from_start": linked - begun, "cpu": cpu}


async def _opened(process: Process, count: int) -> None:
    for _ in range(count):
        await process.wait_for(matching(event="open"), PATIENCE)
