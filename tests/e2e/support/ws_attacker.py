"""Hostile clients of a signal server: each does one bad thing, and prints how the server ended it, one JSON line each.

Usage: ws_attacker.py ADDRESS PORT ROOM VICTIM
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import sys
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

ADDRESS, PORT, ROOM, VICTIM = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
URL = f"ws://{ADDRESS}:{PORT}"
PATIENCE = 20.0
MAX_MESSAGE = 48 * 1024

names = (f"mallory-{number}" for number in itertools.count(1))


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def join(device_id: str, room: str = ROOM, **changes: Any) -> str:
    return json.dumps({"type": "join", "version": 1, "room": room, "deviceId": device_id, "deviceType": "device", "epoch": "e", **changes})


def request(to: str = VICTIM, **changes: Any) -> str:
    return json.dumps(
        {"type": "request", "id": "r1", "to": to, "kind": "offer", "contentType": "application/json", "body": "{}", **changes}
    )


async def outsider(**options: Any) -> ClientConnection:
    return await connect(URL, compression=None, proxy=None, **options)


async def member(room: str = ROOM, device_id: str | None = None, **options: Any) -> ClientConnection:
    """A connection that has joined as a device like any other."""
    client = await outsider(**options)
    await client.send(join(device_id or next(names), room))
    assert json.loads(await client.recv())["type"] == "joined"
    return client


async def verdict(client: ClientConnection) -> dict[str, Any]:
    """How the server ends ``client``: the close code, and the code of the error before it."""
    error = None
    async with asyncio.timeout(PATIENCE):
        try:
            async for text in client:
                message = json.loads(text)
                error = message["code"] if message["type"] == "error" and "id" not in message else error
        except ConnectionClosed:
            pass
        await client.wait_closed()
    return {"close": client.close_code, "error": error}


async def tell(name: str, client: ClientConnection, *messages: str | bytes) -> None:
    """Send ``messages`` and print what they cost."""
    try:
        for message in messages:
            await client.send(message)
    except ConnectionClosed:
        pass
    say(event="attack", name=name, **await verdict(client))


async def malformed() -> None:
    await tell("not json", await outsider(), "{nope")
    await tell("an array", await outsider(), "[]")
    await tell("deep nesting", await outsider(), "[" * 30_000)
    await tell("bytes", await outsider(), join("mallory").encode())
    await tell("something else before join", await outsider(), request())
    await tell("another version", await outsider(), join("mallory", version=2))
    await tell("no device id", await outsider(), join("-no label-"))
    await tell("not json, as a member", await member(), "{nope")
    await tell("an unknown type", await member(), request(type="explode"))
    await tell("no addressee", await member(), json.dumps({"type": "request", "id": "r1"}))
    await tell("no id", await member(), request(id=7))
    await tell("a second join", await member(), join("mallory"))
    client = await member()
    client.transport.write(b"\x81\x82\0\0\0\0\xff\xfe")
    await tell("not utf-8", client)
    client = await member()
    client.transport.write(b"\xff\xff" + b"x" * 100)
    await tell("no frame", client)


async def oversized() -> None:
    await tell("48 KiB and one byte", await member(), "x" * (MAX_MESSAGE + 1))
    await tell("10 MB", await member(), "x" * 10_000_000)
    await tell("10 MB in fragments", await member(), _fragments("x" * 10_000, 1000))  # type: ignore[arg-type]
    client = await member()
    client.transport.write(b"\x81\xff" + (2**40).to_bytes(8, "big") + b"\0\0\0\0")
    await tell("a terabyte announced", client)
    numbers = "[" + ",".join(["1e15"] * 9000) + "]"
    await tell("too large once it is written anew", await member(), request()[:-1] + f', "x": {numbers}}}')


async def _fragments(text: str, count: int) -> Any:
    for _ in range(count):
        yield text


async def flooding() -> None:
    await tell("a flood of requests", await member(), *[request(id=f"r{number}") for number in range(1000)])
    await tell("a flood of requests to nobody", await member(), *[request("nobody") for _ in range(1000)])
    client = await member()
    client.transport.write(b"\x89\x80\0\0\0\0" * 100_000)
    await tell("a flood of pings", client)
    client = await member()
    client.transport.write(b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 100_000)
    await tell("a flood of fragments", client)


async def impersonating() -> None:
    await tell("the id of a living device", await outsider(), join(VICTIM))
    await tell("the id of a living device in capitals", await outsider(), join(VICTIM.upper()))
    await tell("a message from another device", await member(), request(**{"from": VICTIM}))
    await tell("a join from another device", await outsider(), join("mallory", **{"from": VICTIM}))


async def foreign() -> None:
    """Whoever is in another room looks like nobody, and asking for him costs nothing."""
    client = await member("a-third-room")
    await client.send(request())
    await client.send(request(type="response"))
    await client.send(request("nobody"))
    answers = [json.loads(await client.recv()) for _ in range(2)]
    say(event="foreign", answers=[{**answer, "message": answer["message"].replace(VICTIM, "nobody")} for answer in answers])
    await client.close()


async def pages() -> None:
    for name, options in (("a page of a browser", {"origin": "http://evil.example"}),):
        try:
            await outsider(**options)  # type: ignore[arg-type]
        except InvalidStatus as error:
            say(event="attack", name=name, status=error.response.status_code)


async def slow_reader() -> None:
    """One reads nothing while another one of its room sends it 8 MB."""
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    own.connect((ADDRESS, PORT))
    own.setblocking(False)
    lazy_name = next(names)
    lazy = await member(device_id=lazy_name, sock=own)
    lazy.transport.pause_reading()
    sender = await member(max_queue=None)
    for _ in range(180):
        await sender.send(request(lazy_name, body="x" * 30_000))
    async with asyncio.timeout(PATIENCE):
        while json.loads(await sender.recv()) != {"type": "peer-left", "deviceId": lazy_name}:
            pass
    lazy.transport.resume_reading()
    say(event="attack", name="a slow reader", **await verdict(lazy))
    await sender.close()
    say(event="attack", name="who sent to the slow reader", close=sender.close_code)


async def frozen() -> None:
    """One that vanished without a word holds an id until somebody else claims it."""
    name = next(names)
    lost = await member(device_id=name)
    lost.transport.pause_reading()
    heir = await member(device_id=name)
    say(event="attack", name="the heir of a frozen one", close=None)
    await heir.close()
    lost.transport.abort()
    await lost.wait_closed()


async def silent(name: str, first: bytes) -> asyncio.StreamReader:
    reader, writer = await asyncio.open_connection(ADDRESS, PORT)
    writer.write(first)
    silent.writers.append(writer)  # type: ignore[attr-defined]
    return reader


silent.writers = []  # type: ignore[attr-defined]


async def half_open() -> None:
    """Those that never say what they came for; all wait side by side."""
    quiet = [await silent("nothing", b""), await silent("half an upgrade", b"GET / HTTP/1.1\r\nHost: x\r\n")]
    without_join = await outsider()
    say(event="half-open")
    async with asyncio.timeout(PATIENCE):
        for name, reader in zip(("nothing at all", "half an upgrade"), quiet, strict=True):
            rest = await reader.read()
            say(event="attack", name=name, status=int(rest.split()[1]) if rest else None)
    await tell("no join", without_join)
    for writer in silent.writers:  # type: ignore[attr-defined]
        writer.close()


async def crowds() -> None:
    """A full room, and as many connections as one address may have; held while a line on stdin is awaited."""
    members = [await member("a-full-room") for _ in range(64)]
    await tell("the 65th of a room", await outsider(), join("mallory", "a-full-room"))
    rest = [await outsider() for _ in range(64)]
    try:
        await outsider()
    except InvalidStatus as error:
        say(event="attack", name="the 129th of an address", status=error.response.status_code)
    say(event="crowd")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await asyncio.gather(*(client.close() for client in [*members, *rest]))


async def main() -> None:
    for attack in (malformed, oversized, flooding, impersonating, foreign, pages, slow_reader, frozen, half_open, crowds):
        await attack()
    say(event="done")


asyncio.run(main())
