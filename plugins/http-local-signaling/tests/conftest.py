"""Servers on free ports of loopback, and raw connections to be rude with."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Self

import attrs
import pytest

from hallway.errors import SignalingUnavailable
from hallway.interfaces import SignalingHost
from hallway.model import Envelope, Origin, Refusal, Sighting
from hallway.network import InterfacePolicy
from hallway_http_local_signaling._limits import Bounds
from hallway_http_local_signaling.listeners import open_listeners
from hallway_http_local_signaling.server import HttpServer

ANSWER = Envelope("answer", "application/json", b'{"sdp":"the answer"}')


class RecordingHost(SignalingHost):
    """Keeps what it is told, and answers as it is made to."""

    def __init__(self) -> None:
        self.seen: list[tuple[Envelope, Origin]] = []
        self.listens: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
        self.outcome: Envelope | Refusal = ANSWER
        self.hold: asyncio.Event | None = None
        self.error: Exception | None = None
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        self.seen.append((envelope, origin))
        self.begun.set()
        if self.error is not None:
            raise self.error
        try:
            if self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return self.outcome

    def report(self, sighting: Sighting) -> None:
        raise AssertionError("http-local sees nobody")

    def up(self, listen: tuple[str, ...]) -> None:
        self.listens.put_nowait(listen)

    def down(self, reason: str) -> None:
        raise AssertionError("http-local does not go down by itself")


@attrs.frozen
class Reply:
    """A response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Raw:
    """A TCP connection whose bytes the test writes itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, source: str = "127.0.0.1", host: str = "127.0.0.1") -> Self:
        return cls(*await asyncio.open_connection(host, port, local_addr=(source, 0)))

    async def send(self, *parts: bytes) -> None:
        self.writer.writelines(parts)
        await self.writer.drain()

    async def reply(self) -> Reply:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Reply(int(head[0].split()[1]), headers, body)

    async def ended(self) -> bytes:
        """Wait until the other end has closed or reset; what came before."""
        rest = b""
        try:
            while chunk := await self.reader.read(65536):
                rest += chunk
        except ConnectionError:
            pass
        return rest

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def post(path: str, body: bytes = b"{}", *more: str, host: str = "127.0.0.1", content_type: str = "application/json") -> bytes:
    """A whole POST request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


def get(path: str, *more: str, host: str = "127.0.0.1") -> bytes:
    """A whole GET request."""
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *more, "", ""]).encode()


@attrs.frozen
class Rig:
    """One server with its host."""

    server: HttpServer
    host: RecordingHost

    async def ask(self, request: bytes, source: str = "127.0.0.1") -> Reply:
        connection = await Raw.open(self.server.port, source)
        try:
            await connection.send(request)
            return await connection.reply()
        finally:
            await connection.close()


StartRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def start_rig() -> AsyncIterator[StartRig]:
    """Starts servers of `tablet-1` with the bounds that are given; ends them and checks that nothing is left running."""
    rigs: list[Rig] = []
    before = asyncio.all_tasks()

    async def start(name: str | None = "tablet-1", **bounds: Any) -> Rig:
        host = RecordingHost()
        rig = Rig(HttpServer(name, host.handle, InterfacePolicy(), Bounds(**bounds)), host)
        rigs.append(rig)
        await rig.server.start(0)
        return rig

    yield start
    for rig in rigs:
        await rig.server.aclose()
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


@pytest.fixture
async def rig(start_rig: StartRig) -> Rig:
    """A server with the bounds that users get."""
    return await start_rig()


@pytest.fixture
def all_taken() -> Iterator[int]:
    """A port that is taken, as are the nine after it."""
    taken, first = open_listeners(0)
    with contextlib.suppress(SignalingUnavailable):
        while True:
            taken += open_listeners(first)[0]
    yield first
    for sock in taken:
        sock.close()


@pytest.fixture
def wire() -> Any:
    """The helpers above, for test modules (which cannot import each other)."""

    class Wire:
        raw = Raw
        post = staticmethod(post)
        get = staticmethod(get)
        host = RecordingHost
        answer = ANSWER

    return Wire
