"""The yardstick: two bare aiortc peers, signaling by one POST over plain asyncio streams. Prints JSON lines.

Usage: bare.py serve PORT [STUN_URL] | bare.py dial HOST PORT [STUN_URL]
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def connection(stun: str | None) -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[RTCIceServer(stun)] if stun else []))


async def read_body(reader: asyncio.StreamReader) -> Any:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    return json.loads(await reader.readexactly(length))


async def serve(port: int, stun: str | None) -> None:
    connections = []

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        offer = await read_body(reader)
        pc = connection(stun)
        connections.append(pc)

        await pc.setRemoteDescription(RTCSessionDescription(**offer))
        await pc.setLocalDescription(await pc.createAnswer())
        body = json.dumps({"type": "answer", "sdp": pc.localDescription.sdp}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(on_client, "0.0.0.0", port)
    say(event="ready")
    async with server:
        await server.serve_forever()


async def post(host: str, port: int, offer: Any) -> Any:
    reader, writer = await asyncio.open_connection(host, port)
    body = json.dumps(offer).encode()
    writer.write(b"POST /offer HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    answer = await read_body(reader)
    writer.close()
    return answer


async def dial(host: str, port: int, stun: str | None) -> None:
    start = time.perf_counter()
    pc = connection(stun)
    channel = pc.createDataChannel("data")
    opened = asyncio.Event()
    channel.on("open", opened.set)
    await pc.setLocalDescription(await pc.createOffer())
    answer = await post(host, port, {"type": "offer", "sdp": pc.localDescription.sdp})
    await pc.setRemoteDescription(RTCSessionDescription(**answer))
    await opened.wait()
    say(event="connected", ms=(time.perf_counter() - start) * 1000)
    await pc.close()


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0] == "serve":
        asyncio.run(serve(int(words[1]), words[2] if len(words) > 2 else None))
    else:
        asyncio.run(dial(words[1], int(words[2]), words[3] if len(words) > 3 else None))
