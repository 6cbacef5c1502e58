"""The same traffic as `speed_bare.py`, over `hallway.Peer`. Prints JSON lines.

Usage: speed_ours.py serve NAME CHANNEL [STORE] | speed_ours.py send CHANNEL WORK | speed_ours.py durable STORE COUNT
       | speed_ours.py cast PEERS COUNT | speed_ours.py many NAME NUMBER PORT | speed_ours.py queue STORE COUNT

In the environment BENCH_STATES may name a folder with the states of enrolled devices, by name: then the devices are sealed.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from speed_messages import COUNT, messages, say

from hallway import Peer, create_peer
from hallway.config.loading import load_config
from hallway.runtime.delivery.receipts import Receipt

WINDOW = 512
"""Callers of `send_to_peer` side by side, each of which makes its next call when the last one has returned."""


def device(name: str, channel: str = "aiortc", store: str | None = None, port: int = 8090) -> Peer:
    states = os.environ.get("BENCH_STATES")
    mode = [f'trust.state="{states}/{name}"'] if states else ['security="open"', f'device.id="{name}"', 'device.property="bench"']
    settings = [*mode, f'channel.chain=["{channel}"]']
    settings.append(f"plugins.http-local.port={port}")
    if store:
        settings += [f'delivery.store="{store}"', "delivery.peer_messages=2000000", "delivery.peer_mib=4096", "delivery.total_mib=8192"]
    return create_peer(load_config(overrides=settings))


async def serve(name: str, channel: str, store: str | None = None) -> None:
    async with device(name, channel, store) as peer:
        say(event="ready")
        await answer(peer)


async def answer(peer: Peer) -> None:
    """Count messages, and answer what is asked."""
    count = 0
    async for peer_id, message in peer.messages():
        if isinstance(message, dict):
            count += 1
        elif message == COUNT:
            await peer.send_to_peer(peer_id, [count, time.process_time()], durable=False)
            count = 0
        else:
            await peer.send_to_peer(peer_id, message, durable=False)


async def many(name: str, number: int, first_port: int) -> None:
    """Several receivers in one process."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        for each in range(number):
            peer = await stack.enter_async_context(device(f"{name}-{each}", port=first_port + each))
            group.create_task(answer(peer))
        say(event="ready")


async def linked(peer: Peer, number: int = 1) -> None:
    """Wait until so many are linked."""
    enough, names = asyncio.Event(), set[str]()

    def connected(peer_id: str) -> None:
        names.add(peer_id)
        if len(names) >= number:
            enough.set()

    peer.on("peer-connected", connected)
    await enough.wait()


async def send(channel: str, work: dict[str, Any]) -> None:
    async with device("send", channel) as peer:
        inbox = peer.messages()
        await linked(peer)
        say(event="figures", ping_ms=await _pings(peer, inbox, work["pings"]))
        for size in work["sizes"]:
            for _ in range(work["rounds"]):
                say(event="figures", size=size, **await _burst(peer, inbox, size, work["counts"][str(size)]))
        say(event="done")


async def _pings(peer: Peer, inbox: AsyncIterator[tuple[str, Any]], pings: int) -> float:
    trips = []
    for number in range(pings):
        begin = time.perf_counter()
        await peer.send_to_peer("serve", f"ping {number}", durable=False)
        await anext(inbox)
        trips.append((time.perf_counter() - begin) * 1000)
    return statistics.median(trips)


async def _burst(peer: Peer, inbox: AsyncIterator[tuple[str, Any]], size: int, count: int) -> dict[str, float]:
    values = messages(size)
    begin, used = time.perf_counter(), time.process_time()
    for number in range(count):
        await peer.send_to_peer("serve", values[number % len(values)], durable=False)
    await peer.send_to_peer("serve", COUNT, durable=False)
    _, (got, _) = await anext(inbox)
    assert got == count, (got, count)
    return {"per_second": count / (time.perf_counter() - begin), "cpu_us": (time.process_time() - used) / count * 1e6}


async def durable(store: str, count: int) -> None:
    values = messages(200)
    async with device("send", "aiortc", store) as peer:
        await linked(peer)
        begin = time.perf_counter()

        for receipt in await store_all(peer, count, values):
            await receipt.delivered()
        say(event="figures", per_second=count / (time.perf_counter() - begin))


async def store_all(peer: Peer, count: int, values: list[dict[str, Any]]) -> list[Receipt]:
    """Send so many from callers side by side; returns the last receipt of each: in order as they arrive, these tell of all."""

    async def caller(first: int) -> Receipt:
        for number in range(first, count, WINDOW):
            receipt = await peer.send_to_peer("serve", values[number % len(values)])
        return receipt

    return await asyncio.gather(*(caller(first) for first in range(min(WINDOW, count))))


async def queue(store: str, count: int) -> None:
    """Queue messages for a peer that has gone, then let it have them when it is back: seconds for each, and memory in MB."""
    values = messages(200)
    async with device("send", "aiortc", store) as peer:
        events = peer.events(lambda event: event.name == "peer-disconnected")
        await linked(peer)
        # What the first message alone needs is not part of what many need.
        await (await peer.send_to_peer("serve", values[0])).delivered()
        say(event="linked")
        await anext(events)
        before, begin = memory_mb(), time.perf_counter()
        receipts = await store_all(peer, count, values)
        seconds, queued_mb = time.perf_counter() - begin, memory_mb()
        say(event="queued")
        back = asyncio.Event()
        peer.on("peer-connected", lambda _: back.set())
        await back.wait()
        begin = time.perf_counter()
        for receipt in receipts:
            await receipt.delivered()
        drained = time.perf_counter() - begin
        growth = {"queued_mb": queued_mb - before, "drained_mb": memory_mb() - before}
        say(event="figures", count=count, queue_us=seconds / count * 1e6, drain_us=drained / count * 1e6, **growth)


def memory_mb() -> float:
    """Resident memory of this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def cast(peers: int, count: int) -> None:
    """CPU of the sender for each message and receiver: one receiver addressed alone, then all by a broadcast."""
    values = messages(200)
    async with device("send") as peer:
        inbox = peer.messages()
        await linked(peer, peers)
        for _ in range(3):
            used = time.process_time()
            for number in range(count):
                await peer.send_to_peer("many-0-0", values[number % len(values)], durable=False)
            await peer.send_to_peer("many-0-0", COUNT, durable=False)
            await anext(inbox)
            say(event="figures", way="single", cpu_us=(time.process_time() - used) / count * 1e6)
            used = time.process_time()
            for number in range(count // peers):
                await peer.broadcast(values[number % len(values)], durable=False)
            await peer.broadcast(COUNT, durable=False)
            for _ in range(peers):
                await anext(inbox)
            say(event="figures", way="broadcast", cpu_us=(time.process_time() - used) / (count // peers * peers) * 1e6)
        say(event="figures", way="memory", memory_mb=memory_mb())
        say(event="done")


async def main(role: str, *rest: str) -> None:
    match role:
        case "serve":
            await serve(*rest)
        case "send":
            await send(rest[0], json.loads(rest[1]))
        case "durable":
            await durable(rest[0], int(rest[1]))
        case "queue":
            await queue(rest[0], int(rest[1]))
        case "cast":
            await cast(int(rest[0]), int(rest[1]))
        case "many":
            await many(rest[0], int(rest[1]), int(rest[2]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
