"""A device that links properly and then breaks the rules of delivery: ``hostile_delivery.py DEVICE_ID PROPERTY_ID VICTIM``.

Each line of stdin names, as JSON, an attack of `FRAMES` or `HELLOS`. It is made over a link of its own, and
``{"event": "attacked", "attack": name}`` comes once it went out.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import ormsgpack
import zstandard

from hallway import create_peer
from hallway.errors import ChannelClosed, ClosedError
from hallway.peer import Peer
from hallway.protocol import batches
from hallway.protocol.parcels import ACK, GAP, NAK, PARCELS

BIG = 2**64 - 1
ID = bytes(16)


def frame(kind: int, *content: Any) -> bytes:
    return bytes((kind,)) + ormsgpack.packb(content)


def squeezed(data: bytes) -> bytes:
    return bytes((batches.SQUEEZED,)) + zstandard.ZstdCompressor(level=9).compress(data)


def understated(data: bytes, size: int) -> bytes:
    """A squeezed frame that says to become only ``size`` bytes."""
    bomb, told = squeezed(data), struct.pack("<I", len(data))
    assert told in bomb[:20]
    return bomb.replace(told, struct.pack("<I", size), 1)


def parcels(first: int, count: int, *, stream: str = "", incarnation: int = 1, body: bytes = b"\x01") -> bytes:
    return frame(PARCELS, stream, incarnation, first, [(ID, None, body)] * count)


def raw(kind: int, data: bytes) -> bytes:
    return bytes((kind,)) + data


FRAMES: dict[str, list[bytes]] = {
    "ack of what was never sent": [frame(ACK, "", 1, 5, (1, 1), [])],
    "ack of a stream that is not": [frame(ACK, "no such stream", 1, 0, (1, 1), [])],
    "ack below zero": [frame(ACK, "", 1, -1, (1, 1), [])],
    "ack beyond 63 bits": [frame(ACK, "", 1, BIG, (1, 1), [])],
    "credit that overflows": [frame(ACK, "", 1, 0, (BIG, BIG), [])],
    "credit below zero": [frame(ACK, "", 1, 0, (-1, -1), [])],
    "credit that is no number": [frame(ACK, "", 1, 0, ("many", None), [])],
    "ranges that go backwards": [frame(ACK, "", 1, 0, (1, 1), [(5, 2)])],
    "a thousand ranges": [frame(ACK, "", 1, 0, (1, 1), [(2 * n + 1, 2 * n + 1) for n in range(1000)])],
    "nak of what was never sent": [frame(NAK, "", 1, 1, "no")],
    "nak with a novel": [frame(NAK, "", 1, 1, "x" * 100_000)],
    "gap with a hole": [frame(GAP, "", 1, 7, 9)],
    "gap backwards": [frame(GAP, "", 1, 9, 7)],
    "gap to the end of numbers": [frame(GAP, "", 1, 1, 2**63)],
    "parcels with a hole": [parcels(1, 2), parcels(4, 1)],
    "parcels beyond the end of numbers": [parcels(2**63 - 1, 2)],
    "no parcels": [frame(PARCELS, "", 1, 1, [])],
    "more parcels than a frame takes": [parcels(1, 5000)],
    "a parcel with a short id": [frame(PARCELS, "", 1, 1, [(b"id", None, b"\x01")])],
    "a parcel that is text": [frame(PARCELS, "", 1, 1, [(ID, None, "text")])],
    "an incarnation of 65 bits": [raw(PARCELS, b"\x94\xa0\xcf" + b"\xff" * 8 + b"\x01" + b"\x91\x93\xc4\x10" + ID + b"\xc0\xc4\x01")],
    "an incarnation below zero": [frame(PARCELS, "", -1, 1, [(ID, None, b"\x01")])],
    "a stream with a long name": [parcels(1, 1, stream="x" * 100_000)],
    "a stream whose name is a list": [frame(PARCELS, [1, 2], 1, 1, [(ID, None, b"\x01")])],
    "a hundred streams": [parcels(1, 1, stream=f"s{number}") for number in range(100)],
    "beyond the credit": [parcels(1 + 1024 * n, 1024) for n in range(200)],
    "beyond the credit, in new incarnations": [parcels(1, 1024, incarnation=n + 1) for n in range(200)],
    "a flood of gaps": [frame(GAP, "", n % 2 + 1, 1, 1 + n) for n in range(30_000)] + [parcels(5, 1, incarnation=9)],
    "a bomb": [squeezed(raw(PARCELS, bytes(200_000_000)))],
    "a bomb that calls itself small": [understated(raw(PARCELS, bytes(200_000_000)), 400_000)],
    "a bomb in a bomb": [squeezed(squeezed(bytes(200_000_000)))],
    "half of a squeezed frame": [squeezed(parcels(1, 500))[:-5]],
    "an array of 4 billion": [raw(PARCELS, b"\xdd\xff\xff\xff\xff")],
    "arrays of 4 billion": [raw(PARCELS, b"\xdd\xff\xff\xff\xff" * 40_000)],
    "a map of 4 billion": [raw(ACK, b"\xdf\xff\xff\xff\xff")],
    "bytes of 4 billion": [raw(PARCELS, b"\x94\xa0\x01\x01\xc6\xff\xff\xff\xff")],
    "nested for ever": [raw(PARCELS, b"\x91" * 250_000)],
    "half a million empty maps": [squeezed(raw(PARCELS, b"\xdd\x00\x07\xf0\x00" + b"\x80" * 0x7F000))] * 20,
    "not MessagePack": [raw(ACK, b"\xc1" * 1000)],
    "an empty frame": [raw(PARCELS, b"")],
    "an unknown frame": [raw(0x1E, b"\x90")],
    "a batch of a million": [squeezed(raw(batches.MESSAGES, ormsgpack.packb((1, 1, [b"\x01"] * 100_000))))],
    "messages nested for ever": [batches.encode(1, 1, [b"\x91" * 100_000])],
}
"""What is sent over an open link."""

HELLOS: dict[str, Any] = {
    "positions that are a number": {"positions": 5, "credit": [1, 1]},
    "credit that is a list of lists": {"positions": [], "credit": [[], []]},
    "credit beyond 64 bits": {"positions": [], "credit": [10**40, 10**40]},
    "a position below zero": {"positions": [["", 1, -1]], "credit": [1, 1]},
    "a position that is huge": {"positions": [["", 1, 10**300]], "credit": [1, 1]},
    "a stream that is a list": {"positions": [[[], 1, 1]], "credit": [1, 1]},
    "a section that is a list": list(range(30_000)),
    "a section that is text": "x" * 200_000,
}
"""The delivery section of HELLO."""

LEGAL: dict[str, list[bytes]] = {
    "a million tiny messages": [
        squeezed(raw(batches.MESSAGES, ormsgpack.packb((1, 1 + 1024 * n, [b"\x01"] * 1024)))) for n in range(1_000_000 // 1024 + 1)
    ],
}
"""What is allowed, and a burden."""


class Hostile:
    """One device. Its links are made by hallway; what it says over them is not."""

    def __init__(self, peer: Peer, victim: str) -> None:
        self._peer, self._victim = peer, victim
        self._delivery = peer._node.delivery  # type: ignore[union-attr]
        self._honest = self._delivery.hello
        # It is not to find the answers wrong.
        self._delivery.received = lambda *_: None

    async def link(self) -> Any:
        while True:
            link = self._peer._node.links.find(self._victim)  # type: ignore[union-attr]
            if link is not None and link.open is not None:
                return link
            await asyncio.sleep(0.01)

    async def attack(self, name: str) -> None:
        link = await self.link()
        if name in HELLOS:
            run = link.open
            self._delivery.hello = lambda _: HELLOS[name]
            await run.channel.aclose(asyncio.get_running_loop().time())
            while link.open in (run, None):
                await asyncio.sleep(0.01)
            self._delivery.hello = self._honest
            return
        channel = link.open.channel
        with suppress(ChannelClosed, ClosedError):
            for data in (FRAMES | LEGAL)[name]:
                await channel.send(data)


async def lines() -> Any:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield json.loads(line)


async def main(device_id: str, property_id: str, victim: str) -> None:
    async with create_peer(device_id=device_id, property_id=property_id, security="open") as peer:
        hostile = Hostile(peer, victim)
        await hostile.link()
        print(json.dumps({"event": "linked"}), flush=True)
        async for name in lines():
            await hostile.attack(name)
            print(json.dumps({"event": "attacked", "attack": name}), flush=True)


def names() -> Iterator[str]:
    """Every attack that breaks a rule."""
    return itertools.chain(FRAMES, HELLOS)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
