"""A device that sends much, and one that reads nothing until it is told to. Each prints its links' events as JSON lines.

Usage: bulk_device.py DEVICE_ID STORE (reads | sends PEER_ID KIND:COUNT:SIZE … | exits PEER_ID COUNT)

``reads`` reads nothing before a line of stdin, then tells kind and number of each message. ``sends`` sends ``[kind, number, text]``,
durable ones if that is the kind, then waits for a line of stdin. ``exits`` sends durable numbers, waits for a line when half of them
went, and ends as a program does that has nothing more to do; it must know PEER_ID.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import sys
from typing import Any

from hallway import create_peer
from hallway.events import to_json
from hallway.peer import Peer

PROPERTY = "property-123"


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def tell(peer: Peer) -> None:
    async for event in peer.events(lambda event: event.name in {"peer-connected", "peer-disconnected", "error"}):
        say(**to_json(event))


async def told() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


async def reads(peer: Peer) -> None:
    await told()
    async for _, message in peer.messages():
        say(event="read", kind=message[0], number=message[1])


async def sends(peer: Peer, peer_id: str, *kinds: str) -> None:
    while peer_id not in peer.connected_peers:
        await asyncio.sleep(0.01)
    await asyncio.gather(*(send(peer, peer_id, *kind.split(":")) for kind in kinds))


def noise(size: int) -> str:
    """A text that does not shrink to nothing on the wire."""
    return base64.b64encode(random.randbytes(size * 3 // 4)).decode()


async def send(peer: Peer, peer_id: str, kind: str, count: str, size: str) -> None:
    for number in range(int(count)):
        await peer.send_to_peer(peer_id, [kind, number, noise(int(size))], durable=kind == "durable")
    say(event="sent", kind=kind)


async def exits(peer: Peer, peer_id: str, count: str) -> None:
    for number in range(int(count)):
        if number == int(count) // 2:
            say(event="half")
            await told()
        await peer.send_to_peer(peer_id, number)


async def main(device_id: str, store: str, task: str, *arguments: str) -> None:
    async with create_peer(device_id=device_id, property_id=PROPERTY, security="open", store=store) as peer:
        telling = asyncio.create_task(tell(peer))
        if task == "exits":
            await exits(peer, *arguments)
        else:
            working = asyncio.create_task(reads(peer) if task == "reads" else sends(peer, *arguments))
            await (working if task == "reads" else told())
            working.cancel()
        telling.cancel()


asyncio.run(main(*sys.argv[1:]))
