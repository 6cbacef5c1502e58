"""The yardstick of the signal server, and the load for both. Prints JSON lines.

Usage: relay.py bare PORT | relay.py load PORT PAIRS MESSAGES | relay.py hold PORT FIRST MORE

``bare`` is what one would write with websockets alone: it reads each message as JSON to see whom it is for, and passes the text on as it
came. No rooms, no bounds, no checks, no presence. ``load`` speaks WebSocket by hand, with frames made ahead, so that it is the servers that
are measured. ``hold`` joins FIRST idle devices, then MORE, with a line of stdin awaited in between.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

BODY = "x" * 1000
"""About the size of an offer."""
WINDOW = 32
"""Messages of one pair under way: what waits stays below the bounds of the signal server."""
ROOM = 50


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def bare(port: int) -> None:
    places: dict[str, ServerConnection] = {}

    async def relay(connection: ServerConnection) -> None:
        places[json.loads(await connection.recv())["deviceId"]] = connection
        await connection.send('{"type": "joined"}')
        async for text in connection:
            await places[json.loads(text)["to"]].send(text)

    async with serve(relay, "127.0.0.1", port, compression=None):
        say(event="ready")
        await asyncio.get_running_loop().create_future()


def frame(text: str) -> bytes:
    """A masked text frame (RFC 6455 section 5.2); the mask of zeros changes nothing."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + b"\0\0\0\0" + data


async def read_frame(reader: asyncio.StreamReader) -> int:
    """Take one frame of the server and return how long its payload is."""
    head = await reader.readexactly(2)
    size = head[1]
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    await reader.readexactly(size)
    return size


async def joined(port: int, device_id: str, room: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    join = {"type": "join", "version": 1, "room": room, "deviceId": device_id, "deviceType": "device", "epoch": "e"}
    writer.write(frame(json.dumps(join)))
    await read_frame(reader)
    return reader, writer


async def stream(port: int, number: int, messages: int, go: asyncio.Event) -> None:
    """One device sends to another one, never more than `WINDOW` ahead."""
    _, writer = await joined(port, f"sender-{number}", "load")
    reader, _writer = await joined(port, f"receiver-{number}", "load")
    request = {"type": "request", "id": "r1", "to": f"receiver-{number}", "kind": "offer", "contentType": "application/json", "body": BODY}
    data = frame(json.dumps(request))
    await go.wait()
    writer.write(data * WINDOW)
    for received in range(messages):
        while await read_frame(reader) < len(BODY):
            pass  # presence
        if received + WINDOW < messages:
            writer.write(data)


async def load(port: int, pairs: int, messages: int) -> None:
    go = asyncio.Event()
    tasks = [asyncio.create_task(stream(port, number, messages // pairs, go)) for number in range(pairs)]
    await asyncio.sleep(1)
    say(event="begin")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    begin, used = time.perf_counter(), time.process_time()
    go.set()
    await asyncio.gather(*tasks)
    seconds = time.perf_counter() - begin
    say(event="end", per_second=messages / seconds, seconds=seconds, load_cpu=(time.process_time() - used) / seconds)


async def hold(port: int, first: int, more: int) -> None:
    held = [await joined(port, f"device-{number}", f"room-{number // ROOM}") for number in range(first)]
    say(event="first")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    held += [await joined(port, f"device-{number}", f"room-{number // ROOM}") for number in range(first, first + more)]
    say(event="more", held=len(held))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[2:]]
    asyncio.run({"bare": bare, "load": load, "hold": hold}[sys.argv[1]](*numbers))
