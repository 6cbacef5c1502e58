"""How fast messages are beside the bare libraries, on the same hosts in the same run: one after the other, and again.

``python -m tests.bench.speed`` runs this section alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "lab"), str(HERE.parent / "e2e" / "support")]

from netlab import Host, Lab, Process, matching  # noqa: E402

BARE, OURS = str(HERE / "speed_bare.py"), str(HERE / "speed_ours.py")
PORT = "9200"
PATIENCE = 300.0
WORK = {"pings": 1000, "rounds": 3, "sizes": [200, 16384], "counts": {"200": 20_000, "16384": 1500}}
LONE = {"pings": 1000, "rounds": 0, "sizes": [], "counts": {}}
"""Round trips alone: how long they take depends on the cores on which the threads of both processes come to lie, so that more pairs of
processes than for a burst are measured."""
LONE_PAIRS = 4
"""Pairs of processes for each repeat that do round trips alone."""
LIBRARIES = {"aiortc": "aiortc", "wrtc": "libwebrtc"}
"""The bare library, and our channel plugin over it."""
PEERS = (1, 10, 50)
QUEUED = (1_000, 100_000, 1_000_000)
Report = Callable[[str], None]


async def run(host: Host, *words: str) -> Process:
    """Start a program of the benchmark."""
    return await host.spawn([sys.executable, *words])


async def figures(process: Process) -> list[dict[str, Any]]:
    """All figures that a program prints until it ends."""
    if await process.wait(PATIENCE) != 0:
        raise RuntimeError(f"{process} failed\n{process.transcript()}")
    return [line.json for line in process.unread if line.json is not None and line.json["event"] == "figures"]


async def bare(one: Host, two: Host, library: str, work: dict[str, Any]) -> list[dict[str, Any]]:
    server = await run(two, BARE, library, "serve", PORT)
    await server.wait_for(matching(event="ready"), PATIENCE)
    client = await run(one, BARE, library, "send", two.address, PORT, json.dumps(work))
    found = await figures(client)
    await server.kill()
    return found


async def ours(one: Host, two: Host, channel: str, work: dict[str, Any]) -> list[dict[str, Any]]:
    server = await run(two, OURS, "serve", "serve", channel)
    await server.wait_for(matching(event="ready"), PATIENCE)
    client = await run(one, OURS, "send", channel, json.dumps(work))
    found = await figures(client)
    await server.kill()
    return found


def flow(each: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians over all rounds of all repeats."""
    every = [figure for repeat in each for figure in repeat]
    sizes = sorted({figure["size"] for figure in every if "size" in figure})
    of = {size: [figure for figure in every if figure.get("size") == size] for size in sizes}
    return {
        "ping_ms": statistics.median(figure["ping_ms"] for figure in every if "ping_ms" in figure),
        "sizes": {str(size): {key: statistics.median(one[key] for one in of[size]) for key in ("per_second", "cpu_us")} for size in sizes},
    }


async def flows(one: Host, two: Host, repeats: int, work: dict[str, Any], tell: Report) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for library, channel in LIBRARIES.items():
        works = [each for _ in range(repeats) for each in [work, *[LONE] * LONE_PAIRS]]
        pairs = [(await bare(one, two, library, each), await ours(one, two, channel, each)) for each in works]
        beside = {"bare": flow([pair[0] for pair in pairs]), "hallway": flow([pair[1] for pair in pairs])}
        found[channel] = beside | {"ratios": ratios(beside["bare"], beside["hallway"])}
        tell(f"  {channel}: {found[channel]['ratios']}")
    return found


def ratios(bare: dict[str, Any], ours: dict[str, Any]) -> dict[str, float]:
    by_size = {size: ours["sizes"][size]["per_second"] / bare["sizes"][size]["per_second"] for size in bare["sizes"]}
    return {"ping_ms": ours["ping_ms"] / bare["ping_ms"], **by_size}


async def durable(one: Host, two: Host, repeats: int, count: int, tell: Report) -> dict[str, Any]:
    bare, ours = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(prefix="hallway-bench-", dir=Path.cwd()) as folder:
            bare.append(await _rows(one, two, Path(folder), count))
            ours.append(await _durable(one, two, Path(folder), count))
        tell(f"  only committing {bare[-1]:.0f}/s, delivered {ours[-1]:.0f}/s")
    per_second = {"bare": statistics.median(bare), "hallway": statistics.median(ours)}
    return per_second | {"ratio": per_second["hallway"] / per_second["bare"]}


async def _rows(one: Host, two: Host, folder: Path, count: int) -> float:
    pairs = (("outbox", one), ("inbox", two))
    processes = [await run(host, BARE, "rows", str(folder / f"{table}.db"), str(count), table) for table, host in pairs]
    for process in processes:
        await process.wait_for(matching(event="ready"), PATIENCE)
    for process in processes:
        await process.send_json({})
    found = await asyncio.gather(*(figures(process) for process in processes))
    return min(each[0]["per_second"] for each in found)


async def _durable(one: Host, two: Host, folder: Path, count: int) -> float:
    server = await run(two, OURS, "serve", "serve", "aiortc", str(folder / "serve.db"))
    await server.wait_for(matching(event="ready"), PATIENCE)
    client = await run(one, OURS, "durable", str(folder / "send.db"), str(count))
    found = await figures(client)
    await server.kill()
    return float(found[0]["per_second"])


async def casts(one: Host, two: Host, peers: int, count: int) -> dict[str, Any]:
    """Each of a few processes has several receivers; the sender's CPU counts."""
    processes = next(number for number in (5, 4, 2, 1) if peers % number == 0)
    each = peers // processes
    servers = [await run(two, OURS, "many", f"many-{number}", str(each), str(9300 + 100 * number)) for number in range(processes)]
    for server in servers:
        await server.wait_for(matching(event="ready"), PATIENCE)
    client = await run(one, OURS, "cast", str(peers), str(count))
    found = await figures(client)
    for server in servers:
        await server.kill()
    cpu = {way: statistics.median(each["cpu_us"] for each in found if each["way"] == way) for way in ("single", "broadcast")}
    return {"peers": peers, **cpu, "ratio": cpu["broadcast"] / cpu["single"], "memory_mb": found[-1]["memory_mb"]}


async def queues(one: Host, two: Host, count: int) -> dict[str, Any]:
    """Messages that wait for a peer that is away, and go when it is back."""
    with tempfile.TemporaryDirectory(prefix="hallway-bench-", dir=Path.cwd()) as folder:
        serve = [OURS, "serve", "serve", "aiortc", f"{folder}/serve.db"]
        server = await run(two, *serve)
        await server.wait_for(matching(event="ready"), PATIENCE)
        client = await run(one, OURS, "queue", f"{folder}/send.db", str(count))
        await client.wait_for(matching(event="linked"), PATIENCE)
        await server.kill()
        await client.wait_for(matching(event="queued"), PATIENCE)
        server = await run(two, *serve)
        found = await figures(client)
        await server.kill()
        return found[0]


async def growth(one: Host, two: Host, tell: Report) -> dict[str, Any]:
    """What a message costs as peers and queues grow."""
    peers = [await casts(one, two, number, 4000) for number in PEERS]
    tell(f"  peers: {peers}")
    queued = [await queues(one, two, count) for count in QUEUED]
    tell(f"  queued: {queued}")
    return {"peers": peers, "queued": queued}


async def measure(repeats: int, tell: Report) -> dict[str, Any]:
    """All of this section."""
    async with Lab() as lab:
        lan = lab.lan()
        one, two = lan.host("one"), lan.host("two")
        tell("messages beside the bare libraries")
        flow = await flows(one, two, repeats, WORK, tell)
        tell("durable messages beside two processes that only commit them")
        stored = await durable(one, two, repeats, 20_000, tell)
        tell("a broadcast to 20 peers beside messages to one")
        cast = await casts(one, two, 20, 4000)
        tell(f"  {cast}")
        tell("1, 10 and 50 peers; 1,000 to 1,000,000 queued messages")
        return {"flow": flow, "durable": stored, "broadcast": cast, "growth": await growth(one, two, tell)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.speed", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options.repeats, lambda text: print(text, file=sys.stderr, flush=True))), indent=2))


if __name__ == "__main__":
    main()
