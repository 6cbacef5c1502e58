"""Several devices in one process that are all linked to all others by bare aiortc connections, one for each pair.

Usage: bare_mesh.py INDEX EACH PORT

It prints ``ready``, takes the addresses of all processes as one JSON line, dials, and prints ``open`` for each end that has opened. A
line on stdin then is answered by ``status`` with the CPU used in seconds. Of each pair it is settled beforehand who dials, all know all
addresses, nothing is discovered, and at most `AT_ONCE` dials of a process are under way: the least that such a mesh can cost.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

AT_ONCE = 6

kept: list[Any] = []


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def connection() -> RTCPeerConnection:
    kept.append(RTCPeerConnection(RTCConfiguration(iceServers=[])))
    return kept[-1]


async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    offer = json.loads(await reader.readline())
    pc = connection()
    pc.on("datachannel", lambda channel: say(event="open", device=offer["to"], peer=offer["from"]))
    await pc.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
    await pc.setLocalDescription(await pc.createAnswer())
    writer.write(json.dumps(pc.localDescription.sdp).encode() + b"\n")
    await writer.drain()
    writer.close()


async def dial(own: int, peer: int, address: str, port: int, room: asyncio.Semaphore) -> None:
    async with room:
        pc = connection()
        opened = asyncio.Event()
        pc.createDataChannel("data").on("open", opened.set)
        await pc.setLocalDescription(await pc.createOffer())
        reader, writer = await asyncio.open_connection(address, port, limit=2**20)
        writer.write(json.dumps({"from": own, "to": peer, "sdp": pc.localDescription.sdp}).encode() + b"\n")
        await pc.setRemoteDescription(RTCSessionDescription(json.loads(await reader.readline()), "answer"))
        writer.close()
        await opened.wait()
        say(event="open", device=own, peer=peer)


def dials(own: int, peer: int) -> bool:
    """Half of all pairs are dialed by the lower device, so that the work is spread."""
    return own != peer and (own < peer) == ((own + peer) % 2 == 0)


async def main(index: int, each: int, port: int) -> None:
    await asyncio.start_server(on_client, "0.0.0.0", port, limit=2**20)
    say(event="ready")
    addresses = json.loads(await asyncio.to_thread(sys.stdin.readline))
    room = asyncio.Semaphore(AT_ONCE)
    pairs = [(own, peer) for own in range(index * each, (index + 1) * each) for peer in range(len(addresses) * each) if dials(own, peer)]
    await asyncio.gather(*(dial(own, peer, addresses[peer // each], port, room) for own, peer in pairs))
    await asyncio.to_thread(sys.stdin.readline)
    say(event="status", cpu=time.process_time())
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(*(int(word) for word in sys.argv[1:])))
