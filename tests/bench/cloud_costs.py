"""What the cloud costs: a dead STUN server, an outage, the signal server beside a bare relay; and what hallway costs beside its channel."""

from __future__ import annotations

import asyncio
import statistics
import sys
from pathlib import Path
from typing import Any

from cloud import CLOUD_ONLY, LOCAL_FIRST, PORT, URL, cpu_seconds, signal_server

from netlab import INTERNET_ADDRESS, Host, Internet, Lab, Process, matching
from site_devices import linked, up

HERE = Path(__file__).parent
PATIENCE = 60.0
STUN = f'plugins.aiortc.ice_servers=[{{urls="stun:{INTERNET_ADDRESS}:3478"}}]'
FIRST, MORE = 100, 500
WAYS = ("bytes", "plugin", "frames", "peer")


def median(values: list[float]) -> dict[str, Any]:
    return {"median_ms": statistics.median(values), "min_ms": min(values), "max_ms": max(values), "all_ms": values}


async def connect(one: Host, two: Host, *settings: str) -> float:
    """Milliseconds from the sighting to the link of two fresh devices that only the signal server introduces."""
    first = await up(two, "tablet-1", *CLOUD_ONLY, URL, *settings)
    await first.wait_for(matching(event="ready"), PATIENCE)
    second = await up(one, "tablet-2", *CLOUD_ONLY, URL, *settings)
    times = await asyncio.gather(linked(second, "tablet-1"), linked(first, "tablet-2"))
    await asyncio.gather(first.terminate(), second.terminate())
    return max(float(each["ms"]) for each in times)  # type: ignore[arg-type]


async def dead_stun(rounds: int) -> dict[str, Any]:
    """Links over two LANs, signaled by the cloud, without ICE servers and with one that never answers."""
    async with Lab() as lab:
        server = await signal_server(lab.internet)
        one, two = lab.lan("lan1").host("one"), lab.lan("lan2").host("two")
        for host in (one, two):
            host.block_port("udp", 3478, "out")
        without = [await connect(one, two) for _ in range(rounds)]
        dead = [await connect(one, two, STUN) for _ in range(rounds)]
        await server.terminate()
    delay = statistics.median(dead) - statistics.median(without)
    return {"without": median(without), "with_dead_stun": median(dead), "delay_ms": delay, "worst_delay_ms": max(dead) - min(without)}


async def outage(seconds: float) -> dict[str, Any]:
    """CPU of a device that is linked on the LAN: connected to the signal server, with the server dead, and with the WAN black-holed."""
    async with Lab() as lab:
        lan = lab.lan()
        server = await signal_server(lab.internet)
        one, two = [await up(lan.host(f"host-{number}"), f"tablet-{number}", LOCAL_FIRST, URL) for number in (1, 2)]
        await asyncio.gather(linked(one, "tablet-2"), linked(two, "tablet-1"))
        connected = await _cpu(one, seconds)
        await server.kill()
        refused = await _cpu(one, seconds)
        with lab.black_hole_wan():
            silent = await _cpu(one, seconds)
        await asyncio.gather(one.terminate(), two.terminate())
    return {"connected": connected, "server_dead": refused, "wan_black_holed": silent, "seconds": seconds}


async def _cpu(device: Process, seconds: float) -> float:
    await asyncio.sleep(3)
    before = cpu_seconds(device.pid)
    await asyncio.sleep(seconds)
    return (cpu_seconds(device.pid) - before) / seconds * 100


async def relays(rounds: int, messages: int) -> dict[str, Any]:
    """The signal server and a bare relay, in turn, under the same load from the same machine."""
    facts: dict[str, Any] = {"bare": [], "hallway": []}
    async with Lab() as lab:
        for _ in range(rounds):
            for name, found in facts.items():
                found.append(await _relay(lab.internet, name, messages))
    best = {name: {key: statistics.median(each[key] for each in found) for key in found[0]} for name, found in facts.items()}
    ratios = {key: best["hallway"][key] / best["bare"][key] for key in ("per_second", "cpu_us", "bytes_per_connection")}
    return {**best, "ratio_hallway_to_bare": ratios, "messages": messages, "rounds": rounds}


async def _serve(node: Internet, name: str) -> Process:
    if name == "hallway":
        plenty = "1000000"
        bounds = ["--rate", plenty, "--burst", plenty, "--connections", "5000", "--address-connections", "5000"]
        return await signal_server(node, *bounds)
    server = await node.spawn([sys.executable, str(HERE / "relay.py"), "bare", str(PORT)])
    await server.wait_for(matching(event="ready"))
    return server


async def _relay(node: Internet, name: str, messages: int) -> dict[str, float]:
    server = await _serve(node, name)
    load = await node.spawn([sys.executable, str(HERE / "relay.py"), "load", str(PORT), "8", str(messages)])
    await load.wait_for(matching(event="begin"))
    before = cpu_seconds(server.pid)
    await load.send_json("go")
    end = await load.wait_for(matching(event="end"), PATIENCE)
    cpu = (cpu_seconds(server.pid) - before) / messages * 1e6
    await load.wait()
    await server.kill()
    return {"per_second": end["per_second"], "cpu_us": cpu, "bytes_per_connection": await _memory(node, name)}


async def _memory(node: Internet, name: str) -> float:
    server = await _serve(node, name)
    holder = await node.spawn([sys.executable, str(HERE / "relay.py"), "hold", str(PORT), str(FIRST), str(MORE)])
    await holder.wait_for(matching(event="first"), PATIENCE)
    before = _resident(server.pid)
    await holder.send_json("more")
    await holder.wait_for(matching(event="more"), PATIENCE)
    grown = _resident(server.pid) - before
    await holder.kill()
    await server.kill()
    return grown / MORE


def _resident(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


async def layers(rounds: int) -> dict[str, Any]:
    """The same messages over the same channel, with more and more of hallway around it; the ways take turns."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    pings: dict[str, list[float]] = {way: [] for way in WAYS}
    async with Lab() as lab:
        lan = lab.lan()
        one, two = lan.host("one"), lan.host("two")
        for _ in range(rounds):
            for way in WAYS:
                trips, bursts = await _layer(one, two, way)
                pings[way].append(trips)
                found[way] += bursts
    sizes = sorted({each["size"] for each in found["bytes"]})
    return {
        "ping_ms": {way: statistics.median(values) for way, values in pings.items()},
        "bursts": {str(size): {way: _typical(found[way], size) for way in WAYS} for size in sizes},
    }


def _typical(bursts: list[dict[str, Any]], size: int) -> dict[str, float]:
    return {key: statistics.median(each[key] for each in bursts if each["size"] == size) for key in ("per_second", "cpu_us")}


async def _layer(one: Host, two: Host, way: str) -> tuple[float, list[dict[str, Any]]]:
    script = [sys.executable, str(HERE / "layer.py"), way]
    server = await two.spawn([*script, "serve", "9000"])
    await server.wait_for(matching(event="ready"), PATIENCE)
    client = await one.spawn([*script, "send", two.address, "9000"])
    ping = await client.wait_for(matching(event="ping"), PATIENCE)
    await client.wait_for(matching(event="done"), PATIENCE)
    bursts = [line.json for line in client.unread if line.json and line.json["event"] == "burst"]
    await client.kill()
    await server.kill()
    return ping["ms"], bursts
