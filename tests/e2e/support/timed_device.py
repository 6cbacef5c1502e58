"""Two devices between which round trips are timed: ``timed_device.py DEVICE_ID PROPERTY_ID CORE (echoes | times) PEER_ID``.

``echoes`` sends what PEER_ID says to all, and takes what others say. ``times`` sends a number every 10 ms, whether or not the last one
is back; a line of stdin makes it print ``{"event": "times", "ms": [...]}``: what each of those took that came back since the line before,
from the moment at which it was due. Both print the events of their links.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import Awaitable
from typing import Any

from hallway import create_peer
from hallway.events import to_json
from hallway.peer import Peer

EVENTS = {"peer-connected", "peer-disconnected", "error"}
EVERY = 0.01
"""Seconds between two numbers."""


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def tell(peer: Peer) -> None:
    async for event in peer.events(lambda event: event.name in EVENTS):
        say(**to_json(event))


async def lines() -> Any:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        yield line


async def echo(peer: Peer, other: str) -> None:
    async for sender, message in peer.messages():
        if sender == other:
            await peer.broadcast(message)


class Timer:
    """Numbers on their way to the other and back."""

    def __init__(self, peer: Peer, other: str) -> None:
        self._peer, self._other = peer, other
        self._loop = asyncio.get_running_loop()
        self._due: dict[int, float] = {}
        self._took: list[float] = []

    async def run(self) -> None:
        while self._other not in self._peer.connected_peers:
            await asyncio.sleep(EVERY)
        async with asyncio.TaskGroup() as group:
            for work in (self._send(), self._take(), self._report()):
                group.create_task(work)

    async def _send(self) -> None:
        begun = self._loop.time()
        for number in range(sys.maxsize):
            due = begun + number * EVERY
            await asyncio.sleep(due - self._loop.time())
            self._due[number] = due
            await self._peer.send_to_peer(self._other, number)

    async def _take(self) -> None:
        async for sender, number in self._peer.messages():
            if sender == self._other:
                self._took.append(self._loop.time() - self._due.pop(number))

    async def _report(self) -> None:
        async for _ in lines():
            took, self._took = self._took, []
            say(event="times", ms=[round(1000 * each, 2) for each in took])


async def main(device_id: str, property_id: str, core: str, task: str, other: str) -> None:
    os.sched_setaffinity(0, {int(core)})
    async with create_peer(device_id=device_id, property_id=property_id, security="open") as peer:
        work: Awaitable[None] = echo(peer, other) if task == "echoes" else Timer(peer, other).run()
        # As `hallway up` does.
        gc.collect()
        gc.freeze()
        async with asyncio.TaskGroup() as group:
            group.create_task(tell(peer))
            group.create_task(work)


asyncio.run(main(*sys.argv[1:]))
