"""Two bare aiortc peers that keep talking: each sends the time every 50 ms and prints what it gets, and what aiortc says of the connection.

Usage: bare_link.py serve PORT | bare_link.py dial HOST PORT

Lines: ``{"event": "state", "state": "connected"}``, ``{"event": "message", "sent": SECONDS}`` by the clock that all processes share.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from aiortc import InvalidStateError, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

PACE = 0.05


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def connection() -> RTCPeerConnection:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.on("connectionstatechange", lambda: say(event="state", state=pc.connectionState))
    return pc


async def talk(channel: Any) -> None:
    while True:
        if channel.readyState == "open":
            try:
                channel.send(repr(time.monotonic()))
            except (ConnectionError, InvalidStateError):
                return
        await asyncio.sleep(PACE)


async def read_body(reader: asyncio.StreamReader) -> Any:
    return json.loads(await reader.readline())


async def serve(port: int) -> None:
    kept: list[Any] = []

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pc = connection()
        kept.append(pc)

        def on_channel(channel: Any) -> None:
            channel.on("message", lambda text: say(event="message", sent=float(text)))
            kept.append(asyncio.ensure_future(talk(channel)))

        pc.on("datachannel", on_channel)
        await pc.setRemoteDescription(RTCSessionDescription(**await read_body(reader)))
        await pc.setLocalDescription(await pc.createAnswer())
        writer.write(json.dumps({"type": "answer", "sdp": pc.localDescription.sdp}).encode() + b"\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(on_client, "0.0.0.0", port, limit=2**20) as server:
        say(event="ready")
        await server.serve_forever()


async def dial(host: str, port: int) -> None:
    pc = connection()
    channel = pc.createDataChannel("data")
    channel.on("message", lambda text: say(event="message", sent=float(text)))
    await pc.setLocalDescription(await pc.createOffer())
    reader, writer = await asyncio.open_connection(host, port, limit=2**20)
    writer.write(json.dumps({"type": "offer", "sdp": pc.localDescription.sdp}).encode() + b"\n")
    await pc.setRemoteDescription(RTCSessionDescription(**await read_body(reader)))
    writer.close()
    await talk(channel)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    words = sys.argv[1:]
    asyncio.run(serve(int(words[1])) if words[0] == "serve" else dial(words[1], int(words[2])))
