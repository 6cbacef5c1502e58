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
from hallway.events import MessageReceived, PeerConnected
from hallway.peer import Peer

PROPERTY = "property-123"


async def first(peer: Peer, kind: type) -> Any:
    async for event in peer.events(lambda event: isinstance(event, kind)):
        return event
    raise AssertionError(f"{peer.device_id} has closed without a {kind.__name__}")


async def meet(stays: Peer) -> None:
    async with asyncio.timeout(30), create_peer(device_id="neighbour", property_id=PROPERTY, security="open") as comes:
        heard = asyncio.create_task(first(stays, MessageReceived))
        await first(comes, PeerConnected)
        await comes.send_to_peer(stays.device_id, {"here": "again"})
        await heard


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
        for number in range(1, max(told) + 1):
            await meet(stays)
            if number in told:
                print(json.dumps({"event": "round", "round": number, **measure()}), flush=True)


if __name__ == "__main__":
    asyncio.run(main([int(each) for each in sys.argv[1:]]))
