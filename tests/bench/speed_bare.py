"""The yardstick for speed: two bare peers of aiortc or of libwebrtc's own Python side, and a process that only commits rows to SQLite.

Usage: speed_bare.py (aiortc | wrtc) (serve PORT | send HOST PORT WORK) | speed_bare.py rows FILE COUNT (outbox | inbox)

Prints JSON lines. WORK is JSON: see `speed.WORK`. Signaling is one line of JSON each way over TCP.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from speed_messages import COUNT, json_texts, rows, say

from hallway.store import schema
from hallway.store.database import PRAGMAS

HIGH_WATER = 1024 * 1024
"""Bytes that may wait in the library before the sender looks again: aiortc would take all, libwebrtc refuses beyond 16 MiB."""
GROUP = 32


class Bare(Protocol):
    """A peer connection with one channel, of either library."""

    def send(self, text: str) -> None:
        """Hand one text over."""

    def buffered(self) -> int:
        """Bytes that wait in the library."""

    async def accept(self, offer: dict[str, str]) -> dict[str, str]:
        """Answer an offer."""

    async def offer(self) -> dict[str, str]:
        """Make an offer."""

    async def take(self, answer: dict[str, str]) -> None:
        """Take the answer; return when the channel is open."""


class Aiortc:
    """See `Bare`."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        from aiortc import RTCConfiguration, RTCPeerConnection

        self._heard = heard
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._pc.on("datachannel", self._adopt)
        self._opened = asyncio.Event()

    def _adopt(self, channel: Any) -> None:
        self._channel = channel
        channel.on("message", self._heard)
        channel.on("open", self._opened.set)

    def send(self, text: str) -> None:
        self._channel.send(text)

    def buffered(self) -> int:
        return int(self._channel.bufferedAmount)

    async def offer(self) -> dict[str, str]:
        self._adopt(self._pc.createDataChannel("data"))
        await self._pc.setLocalDescription(await self._pc.createOffer())
        return {"type": "offer", "sdp": self._pc.localDescription.sdp}

    async def accept(self, offer: dict[str, str]) -> dict[str, str]:
        from aiortc import RTCSessionDescription

        await self._pc.setRemoteDescription(RTCSessionDescription(**offer))
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        return {"type": "answer", "sdp": self._pc.localDescription.sdp}

    async def take(self, answer: dict[str, str]) -> None:
        from aiortc import RTCSessionDescription

        await self._pc.setRemoteDescription(RTCSessionDescription(**answer))
        await self._opened.wait()


class Wrtc:
    """See `Bare`."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        from webrtc import RTCPeerConnection

        self._heard = heard
        self._pc = RTCPeerConnection()
        self._pc.on("datachannel", lambda event: self._adopt(event.channel))
        self._pc.on("icegatheringstatechange", lambda _: self._pc.ice_gathering_state == "complete" and self._gathered.set())
        self._opened, self._gathered = asyncio.Event(), asyncio.Event()

    def _adopt(self, channel: Any) -> None:
        self._channel = channel
        channel.on("message", lambda event: self._heard(event.data))
        channel.on("open", lambda _: self._opened.set())

    def send(self, text: str) -> None:
        self._channel.send(text)

    def buffered(self) -> int:
        return int(self._channel.buffered_amount)

    async def _described(self) -> dict[str, str]:
        await self._pc.set_local_description()
        await self._gathered.wait()
        made = self._pc.local_description
        assert made is not None
        return {"type": made.type, "sdp": made.sdp}

    async def offer(self) -> dict[str, str]:
        self._adopt(self._pc.create_data_channel("data"))
        return await self._described()

    async def accept(self, offer: dict[str, str]) -> dict[str, str]:
        from webrtc import RTCSessionDescriptionInit

        await self._pc.set_remote_description(RTCSessionDescriptionInit(**offer))
        return await self._described()

    async def take(self, answer: dict[str, str]) -> None:
        from webrtc import RTCSessionDescriptionInit

        await self._pc.set_remote_description(RTCSessionDescriptionInit(**answer))
        await self._opened.wait()


KINDS: dict[str, Callable[[Callable[[str], None]], Bare]] = {"aiortc": Aiortc, "wrtc": Wrtc}


class Counter:
    """The receiving end: counts what is a message of the benchmark, and answers what is asked."""

    def __init__(self) -> None:
        self.bare: Bare | None = None
        self.count = 0

    def heard(self, text: str) -> None:
        assert self.bare is not None
        if text.startswith("{"):
            self.count += 1
        elif text == COUNT:
            self.bare.send(str(self.count))
            self.count = 0
        else:
            self.bare.send(text)


async def serve(kind: str, port: int) -> None:
    kept = []

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counter = Counter()
        bare = counter.bare = KINDS[kind](counter.heard)
        kept.append(bare)
        answer = await bare.accept(json.loads(await reader.readline()))
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(on_client, "0.0.0.0", port)
    say(event="ready")
    async with server:
        await server.serve_forever()


async def send(kind: str, host: str, port: int, work: dict[str, int]) -> None:
    inbox = asyncio.Queue[str]()
    bare = KINDS[kind](inbox.put_nowait)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(json.dumps(await bare.offer()).encode() + b"\n")
    await bare.take(json.loads(await reader.readline()))
    say(event="figures", ping_ms=await _pings(bare, inbox, work["pings"]))
    for size in work["sizes"]:
        for _ in range(work["rounds"]):
            say(event="figures", size=size, **await _burst(bare, inbox, size, work["counts"][str(size)]))
    say(event="done")


async def _pings(bare: Bare, inbox: asyncio.Queue[str], pings: int) -> float:
    trips = []
    for number in range(pings):
        begin = time.perf_counter()
        bare.send(f"ping {number}")
        await inbox.get()
        trips.append((time.perf_counter() - begin) * 1000)
    return statistics.median(trips)


async def _burst(bare: Bare, inbox: asyncio.Queue[str], size: int, count: int) -> dict[str, float]:
    texts = json_texts(size)
    begin, used = time.perf_counter(), time.process_time()
    for number in range(count):
        bare.send(texts[number % len(texts)])
        while bare.buffered() > HIGH_WATER:
            await asyncio.sleep(0.001)
    bare.send(COUNT)
    got = int(await inbox.get())
    assert got == count, (got, count)
    return {"per_second": count / (time.perf_counter() - begin), "cpu_us": (time.process_time() - used) / count * 1e6}


def commit_rows(path: str, count: int, table: str) -> None:
    """The rows that 200-byte messages make in hallway's store, in groups of 32, a transaction each, with the same settings.

    ``outbox``: what a sender stores, a body and its place in the outbox, and how far the stream is; ``inbox``: what a receiver stores.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    for pragma in PRAGMAS:
        connection.execute(pragma)
    schema.migrate(connection)
    connection.execute("INSERT INTO stream VALUES (1, 'serve', '', 1, 0)")
    connection.execute("INSERT INTO position VALUES ('send', '', 1, 0)")
    made = rows(count)
    say(event="ready")
    sys.stdin.readline()
    begin = time.perf_counter()
    for start in range(0, count, GROUP):
        connection.execute("BEGIN IMMEDIATE")
        STATEMENTS[table](connection, made[start : start + GROUP])
        connection.execute("COMMIT")
    say(event="figures", per_second=count / (time.perf_counter() - begin))


def _outbox(connection: sqlite3.Connection, made: list[tuple[int, bytes, bytes]]) -> None:
    connection.executemany("INSERT INTO body VALUES (?, 1, 0, 0, ?)", [(seq, body) for seq, _, body in made])
    connection.executemany("INSERT INTO outbox VALUES (1, ?, ?, ?, ?, 0, NULL)", [(seq, id_, seq, len(body)) for seq, id_, body in made])
    connection.execute("UPDATE stream SET last = ? WHERE id = 1", (made[-1][0],))


def _inbox(connection: sqlite3.Connection, made: list[tuple[int, bytes, bytes]]) -> None:
    connection.executemany("INSERT INTO inbox VALUES (NULL, 'send', '', ?, ?, 0, ?, 0, 0)", made)
    connection.execute("UPDATE position SET upto = ?", (made[-1][0],))


STATEMENTS = {"outbox": _outbox, "inbox": _inbox}


def main(kind: str, *rest: str) -> None:
    if kind == "rows":
        commit_rows(rest[0], int(rest[1]), rest[2])
    elif rest[0] == "serve":
        asyncio.run(serve(kind, int(rest[1])))
    else:
        asyncio.run(send(kind, rest[1], int(rest[2]), json.loads(rest[3])))


if __name__ == "__main__":
    main(*sys.argv[1:])
