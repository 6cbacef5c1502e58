"""A device that links properly and then abuses the link: ``hostile_member.py DEVICE_ID PROPERTY_ID VICTIM NEIGHBOUR_ADDRESS``.

It floods the control bus of VICTIM and tells it of peers that do not exist. JSON lines: ``linked``, then ``done`` after a line of stdin.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys

from hallway import create_peer
from hallway.peer import Peer
from hallway.protocol.frames import Frame, Pause, Ping, Request, Response, Resume

ENDPOINTS = ["http://[bad", "http://198.51.100.7:80"]


def rumours(round_: int, neighbour: str) -> list[dict[str, object]]:
    """64 peers that do not exist: at silent addresses, at the port of a neighbour, and outside."""
    places = [[f"http://10.77.0.{100 + number}:8090", f"http://{neighbour}:22", *ENDPOINTS] for number in range(64)]
    return [{"id": f"ghost-{round_ % 8}-{number}", "endpoints": [*places[number][number % 2 :]][:4]} for number in range(64)]


def barrage(round_: int, neighbour: str) -> list[Frame]:
    news = {"endpoints": ["http://10.77.0.99:8090"], "peers": rumours(round_, neighbour)}
    garbage = [Request(number, "no-such-kind" * 10, "x") for number in range(20)]
    return [Request(1, "introduce", news), *garbage, Response(round_, "unasked"), Ping(round_), Pause(), Resume()]


async def abuse(peer: Peer, victim: str, neighbour: str) -> None:
    for round_ in itertools.count():
        with contextlib.suppress(KeyError, AttributeError):
            run = peer._node.links._links[victim].open
            for frame in barrage(round_, neighbour):
                run.send(frame)
        await asyncio.sleep(0.02)


async def main(device_id: str, property_id: str, victim: str, neighbour: str) -> None:
    async with create_peer(device_id=device_id, property_id=property_id, security="open") as peer:
        while victim not in peer.connected_peers:
            await asyncio.sleep(0.05)
        abusing = asyncio.create_task(abuse(peer, victim, neighbour))
        print(json.dumps({"event": "linked"}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        abusing.cancel()
        await asyncio.wait([abusing])
        print(json.dumps({"event": "done", "linked": victim in peer.connected_peers}), flush=True)


asyncio.run(main(*sys.argv[1:]))
