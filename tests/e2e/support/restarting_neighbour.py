"""A device whose neighbour, in the same process, starts, links, talks and leaves again and again; prints what is left of that.

Usage: restarting_neighbour.py ROUNDS...

One JSON line at each of these rounds: the objects that Python keeps after a collection, and the resident memory in kB, as it is and
once the allocator has given back what nobody uses.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import sys
from pathlib import Path
from typing import Any

from hallway import create_peer
from hallway.events import PeerConnected
from hallway.peer import Peer

PROPERTY = "property-123"


async def connected(peer: Peer) -> None:
    async for _ in peer.events(lambda event: isinstance(event, PeerConnected)):
        return
    raise AssertionError(f"{peer.device_id} has closed without a link")


async def meet(stays: Peer, heard: asyncio.Queue[Any]) -> None:
    async with asyncio.timeout(30), create_peer(device_id="neighbour", property_id=PROPERTY, security="open") as comes:
        await connected(comes)
        await comes.send_to_peer(stays.device_id, {"here": "again"})
        await heard.get()


def resident_kb() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def measure() -> dict[str, int]:
    gc.collect()
    objects, kept = len(gc.get_objects()), resident_kb()
    ctypes.CDLL(None).malloc_trim(0)
    return {"objects": objects, "kb": kept, "kb_used": resident_kb()}


async def main(told: list[int]) -> None:
    async with create_peer(device_id="stays", property_id=PROPERTY, security="open") as stays:
        # A reader that is left after one message has not dealt with it, and it would wait for the next one.
        heard: asyncio.Queue[Any] = asyncio.Queue()
        stays.on("message", lambda _, message: heard.put_nowait(message))
        for number in range(1, max(told) + 1):
            await meet(stays, heard)
            if number in told:
                print(json.dumps({"event": "round", "round": number, **measure()}), flush=True)


if __name__ == "__main__":
    asyncio.run(main([int(each) for each in sys.argv[1:]]))
