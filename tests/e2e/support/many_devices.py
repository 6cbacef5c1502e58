"""Several devices in one process, which print the events of their links as JSON lines with ``device`` added.

Usage: many_devices.py PROPERTY_ID DEVICE_ID...

A line on stdin is answered by one ``status`` line: the peers to which each device says that its link is open, and the CPU used in seconds.
It ends at the end of stdin.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

from hallway import create_peer
from hallway.events import to_json
from hallway.peer import Peer

TOLD = frozenset({"peer-connected", "peer-disconnected", "peer-path", "error"})


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def tell(peer: Peer) -> None:
    async for event in peer.events(lambda event: event.name in TOLD):
        say(**to_json(event), device=peer.device_id)


def is_open(peer: Peer) -> list[str]:
    return [each["peerId"] for each in peer.status()["peers"] if each["open"]]


async def main(property_id: str, names: list[str]) -> None:
    peers = [create_peer(device_id=name, property_id=property_id, security="open") for name in names]
    # Subscribed before the start, so that no event is missed.
    telling = [asyncio.create_task(tell(peer)) for peer in peers]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(peer) for peer in peers))
        say(event="ready", listen=[peer.listen[0] for peer in peers])
        while await asyncio.to_thread(sys.stdin.readline):
            say(event="status", open={peer.device_id: is_open(peer) for peer in peers}, cpu=time.process_time())
    await asyncio.gather(*telling)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
