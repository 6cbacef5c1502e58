"""A device with a busy application: it sends all it can, or is slow to take what comes. Prints the events of its links as JSON lines.

Usage: busy_device.py DEVICE_ID PEER_ID (takes | awaits | blocks | sends SECONDS)

It ends at a line of stdin, and tells nothing from then on.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Any

from hallway import create_peer
from hallway.errors import HallwayError
from hallway.events import to_json
from hallway.peer import Peer

AWAITED, BLOCKED, PAUSE = 12.0, 3.0, 2.0
MESSAGE = {"type": "bulk", "data": "x" * 4000}


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def tell(peer: Peer) -> None:
    async for event in peer.events(lambda event: event.name in {"peer-connected", "peer-disconnected", "peer-path"}):
        say(**to_json(event), at=time.monotonic())


async def takes(peer: Peer) -> None:
    async for _ in peer.messages():
        pass


async def awaits(peer: Peer) -> None:
    async for _ in peer.messages():
        await asyncio.sleep(AWAITED)


async def blocks(peer: Peer) -> None:
    free_since = time.monotonic()
    async for _ in peer.messages():
        if time.monotonic() > free_since + PAUSE:
            time.sleep(BLOCKED)
            free_since = time.monotonic()


async def sends(peer: Peer, peer_id: str, seconds: float) -> None:
    taking = asyncio.create_task(takes(peer))
    while peer_id not in peer.connected_peers:
        await asyncio.sleep(0.05)
    count, until = 0, time.monotonic() + seconds
    # A link that breaks is told by its event; here it only ends the sending. So does one that takes nothing for as long.
    with suppress(HallwayError, TimeoutError):
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + seconds):
            while time.monotonic() < until:
                # What is stored first fills the outbox in a few seconds, and waits for nobody.
                await peer.send_to_peer(peer_id, MESSAGE, durable=False)
                count += 1
    say(event="sent", count=count)
    await taking


async def main(name: str, peer_id: str, task: str, *seconds: str) -> None:
    peer = create_peer(device_id=name, property_id="busy", security="open")
    telling = asyncio.create_task(tell(peer))
    tasks = {"takes": takes, "awaits": awaits, "blocks": blocks}
    async with peer:
        working = asyncio.create_task(sends(peer, peer_id, float(seconds[0])) if seconds else tasks[task](peer))
        await asyncio.to_thread(sys.stdin.readline)
        telling.cancel()
        working.cancel()
        await asyncio.wait([telling, working])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
