"""``make bench``: what hallway costs beside bare aiortc, on the same hosts in the same run.

Writes bench/results.json, and results.png, speed.png, sealed.png and healing.png beside it. It needs the lab (root, ip, tc, nft).
Both kinds of process are fresh for every connect.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "lab"), str(HERE.parent / "e2e" / "support")]

from tests.bench import cloud_costs, docs_report, healing, healing_report, loss, report, sealed, sealed_report, speed, speed_report  # noqa: E402

from netlab import DNS_ADDRESS, INTERNET_ADDRESS, Host, Lab, matching, missing  # noqa: E402
from site_devices import linked, up  # noqa: E402

STUN = f"stun:{INTERNET_ADDRESS}:3478"
STUN_SETTING = f'plugins.aiortc.ice_servers=[{{urls="{STUN}"}}, {{urls="stun:stun.example.org:3478"}}]'
BARE = HERE / "bare.py"
PATIENCE = 60.0
RESULTS = Path("bench")


def tell(text: str) -> None:
    print(text, flush=True)


async def bare_connect(one: Host, two: Host, stun: str | None) -> float:
    """Milliseconds from nothing to an open channel between two fresh bare processes."""
    extra = [stun] if stun else []
    server = await two.spawn([sys.executable, str(BARE), "serve", "9000", *extra])
    await server.wait_for(matching(event="ready"))
    client = await one.spawn([sys.executable, str(BARE), "dial", two.address, "9000", *extra])
    connected = await client.wait_for(matching(event="connected"), PATIENCE)
    await client.kill()
    await server.kill()
    return float(connected["ms"])


async def our_connect(one: Host, two: Host, *settings: str) -> float:
    """Milliseconds from found to linked, at the end that dials: the second of two fresh devices finds the first."""
    first = await up(two, "tablet-1", *settings)
    await first.wait_for(matching(event="ready"), PATIENCE)
    second = await up(one, "tablet-2", *settings)
    times = await asyncio.gather(linked(second, "tablet-1"), linked(first, "tablet-2"))
    await asyncio.gather(first.terminate(), second.terminate())
    return max(float(each["ms"]) for each in times)  # type: ignore[arg-type]


async def connects(lab: Lab, rounds: int) -> dict[str, Any]:
    lan = lab.lan()
    one, two = lan.host("one", dns=DNS_ADDRESS), lan.host("two", dns=DNS_ADDRESS)
    lab.black_hole_wan()
    bare: list[float] = []
    ours: list[float] = []
    ours_stun: list[float] = []
    for number in range(1, rounds + 1):
        bare.append(await bare_connect(one, two, None))
        ours.append(await our_connect(one, two))
        ours_stun.append(await our_connect(one, two, STUN_SETTING))
        tell(f"  round {number} of {rounds}: bare {bare[-1]:.0f} ms, hallway {ours[-1]:.0f} ms, hallway with STUN {ours_stun[-1]:.0f} ms")
    bare_stun = [await bare_connect(one, two, STUN)]
    tell(f"  bare with STUN: {bare_stun[0]:.0f} ms")
    return {
        "bare": summary(bare),
        "hallway": summary(ours),
        "hallway_with_stun": summary(ours_stun),
        "bare_with_stun": summary(bare_stun),
        "ratio_hallway_to_bare": statistics.median(ours) / statistics.median(bare),
        "ratio_hallway_with_stun_to_bare": statistics.median(ours_stun) / statistics.median(bare),
        "packets_outside_lan_by_bare_with_stun": one.packets_outside_lan(),
    }


def summary(values: list[float]) -> dict[str, Any]:
    return {"median_ms": statistics.median(values), "min_ms": min(values), "max_ms": max(values), "all_ms": values}


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def idle(one: Host, two: Host, seconds: float) -> dict[str, Any]:
    first, second = await up(one, "tablet-1"), await up(two, "tablet-2")
    await asyncio.gather(linked(first, "tablet-2"), linked(second, "tablet-1"))
    await asyncio.sleep(3)
    before = cpu_seconds(first.pid)
    await asyncio.sleep(seconds)
    facts = {"cpu_percent": (cpu_seconds(first.pid) - before) / seconds * 100, "memory_mb": memory_mb(first.pid), "seconds": seconds}
    await asyncio.gather(first.terminate(), second.terminate())
    return facts


async def run(options: argparse.Namespace) -> dict[str, Any]:
    tell("connecting from fresh processes, WAN and DNS black-holed")
    async with Lab() as lab:
        connect = await connects(lab, options.rounds)
    async with Lab() as lab:
        lan = lab.lan()
        hosts = lan.host("one"), lan.host("two")
        tell(f"an idle linked device, for {options.idle:.0f} s")
        rest = await idle(*hosts, options.idle)
    speeds = await speed.measure(options.speed_rounds, tell)
    trust = await sealed.measure(options.rounds, options.speed_rounds, tell)
    return {"connect": connect, "speed": speeds, "sealed": trust, "idle": rest, **await cloud_run(options), **await fault_run(options)}


async def fault_run(options: argparse.Namespace) -> dict[str, Any]:
    tell("links that break and heal, and a mesh of thirty devices; bare aiortc takes half a minute to notice some of it")
    healed = await healing.healing(options.healing_rounds, options.mesh_rounds)
    tell("the channel under loss")
    async with Lab() as lab:
        return {"healing": healed, "loss": await loss.measure(lab, options.loss_rounds)}


async def cloud_run(options: argparse.Namespace) -> dict[str, Any]:
    tell("links signaled by the cloud, without and with a STUN server that never answers")
    stun = await cloud_costs.dead_stun(options.rounds)
    tell("the signal server beside a bare relay")
    relay = await cloud_costs.relays(options.cloud_rounds, options.relayed)
    tell("the channel used directly, and through hallway")
    layers = await cloud_costs.layers(options.cloud_rounds)
    tell(f"a linked device with and without its signal server, three times {options.idle:.0f} s")
    return {"stun": stun, "relay": relay, "layers": layers, "outage": await cloud_costs.outage(options.idle)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--speed-rounds", type=int, default=5)
    parser.add_argument("--idle", type=float, default=30)
    parser.add_argument("--relayed", type=int, default=40_000, help="messages through the signal server")
    parser.add_argument("--cloud-rounds", type=int, default=3)
    parser.add_argument("--healing-rounds", type=int, default=3)
    parser.add_argument("--mesh-rounds", type=int, default=2)
    parser.add_argument("--loss-rounds", type=int, default=40, help="connections at each level of loss")
    options = parser.parse_args()
    if reason := missing():
        sys.exit(f"the benchmark runs in the lab, which cannot be built here: {reason}")
    results = {"machine": docs_report.machine(), **asyncio.run(run(options))}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    report.plot(results, RESULTS / "results.png")
    healing_report.plot(results["healing"], RESULTS / "healing.png")
    speed_report.plot(results["speed"], RESULTS / "speed.png")
    sealed_report.plot(results["sealed"], RESULTS / "sealed.png")
    tell("\n".join(["", *report.lines(results), *speed_report.lines(results["speed"]), *sealed_report.lines(results["sealed"])]))
    tell("\n".join(healing_report.lines(results["healing"])))
    tell(f"written to {RESULTS}: results.json, results.png, speed.png, sealed.png and healing.png")
    tell("`make bench-docs` takes them into the documentation")


main()
