"""The same traffic as `bare.py`, over `hallway.Peer`. Prints JSON lines.

Usage: ours.py echo | ours.py measure MESSAGES PINGS
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import Any

from hallway import create_peer

MESSAGE = {"type": "bench", "data": "x" * 70}


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def echo() -> None:
    count = 0
    async with create_peer(device_id="echo", property_id="bench", security="open") as peer:
        say(event="ready")
        async for peer_id, message in peer.messages():
            if message == "count":
                await peer.send_to_peer(peer_id, count, durable=False)
            elif isinstance(message, str) and message.startswith("ping"):
                await peer.send_to_peer(peer_id, message, durable=False)
            else:
                count += 1


async def measure(messages: int, pings: int) -> None:
    async with create_peer(device_id="measure", property_id="bench", security="open") as peer:
        linked = asyncio.Event()
        peer.on("peer-connected", lambda _: linked.set())
        inbox = peer.messages()
        await linked.wait()
        trips = []
        for number in range(pings):
            begin = time.perf_counter()
            await peer.send_to_peer("echo", f"ping {number}", durable=False)
            await anext(inbox)
            trips.append((time.perf_counter() - begin) * 1000)
        begin = time.perf_counter()
        for _ in range(messages):
            await peer.send_to_peer("echo", MESSAGE, durable=False)
        await peer.send_to_peer("echo", "count", durable=False)
        _, count = await anext(inbox)
        say(event="traffic", ping_ms=statistics.median(trips), per_second=count / (time.perf_counter() - begin), count=count)


if __name__ == "__main__":
    words = sys.argv[1:]
    asyncio.run(echo() if words[0] == "echo" else measure(int(words[1]), int(words[2])))
