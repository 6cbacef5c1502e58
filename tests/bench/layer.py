"""One stream of messages over the same aiortc plugin in three ways. Prints JSON lines.

Usage: layer.py (bytes | frames | plugin | peer) (serve PORT | send HOST PORT)

``bytes``: `Channel.send` of bytes made ahead, `Channel.receive`; nothing is read. The channel comes from `AiortcConnector` itself.
``plugin``: the same, with the connector that hallway's plugin layer (stevedore, pluggy, providers) hands out.
``frames``: as ``bytes``, but the messages are put into frames and read from them, as hallway does: as many in each.
``peer``: `Peer.send_to_peer` and `Peer.messages`: the whole of hallway, links, heartbeats, events and observers included.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from hallway import create_peer
from hallway.config.loading import config_from_arguments
from hallway.interfaces import Channel, Connector
from hallway.model import Description, DeviceInfo, IcePolicy
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway.plugins.manager import load_plugins
from hallway.protocol.batches import OVERHEAD, Squeezer, encode
from hallway.protocol.frames import Messages, decode
from hallway.protocol.packed import pack
from hallway.runtime.links.outgoing import BATCH_BYTES
from hallway_aiortc_channel import AiortcConfig, AiortcConnector

SIZES = {70: 30_000, 1000: 8_000, 16_000: 1_500}
"""Bytes in one message, and how many of them."""
ROUNDS = 3
PINGS = 500


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def message(size: int) -> dict[str, str]:
    return {"type": "bench", "data": "x" * size}


def per_frame(size: int) -> int:
    """How many messages of this size hallway puts into one frame when it has enough of them."""
    return max(1, BATCH_BYTES // (len(pack(message(size))) + OVERHEAD))


def connector(way: str) -> Connector:
    context = PluginContext(DeviceInfo("bench", "bench"), InterfacePolicy(), Resolver())
    if way != "plugin":
        return AiortcConnector(AiortcConfig(), context)
    config = config_from_arguments(device_id="bench", property_id="bench", security="open")
    registry = load_plugins(config)
    return registry.make(registry.channel[0], context)


def soon() -> float:
    return asyncio.get_running_loop().time() + 10


# The two ends of a channel that is used directly.


async def serve_direct(way: str, port: int) -> None:
    made = connector(way)
    await made.prepare()

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        offer = Description(**json.loads(await reader.readline()), candidates=())
        answer, channel = await made.answer(offer, IcePolicy.LAN)
        writer.write(json.dumps({"kind": answer.kind, "type": answer.type, "sdp": answer.sdp}).encode() + b"\n")
        await channel.opened(soon())
        await answer_direct(channel, way)

    server = await asyncio.start_server(on_client, "0.0.0.0", port)
    say(event="ready")
    async with server:
        await server.serve_forever()


async def answer_direct(channel: Channel, way: str) -> None:
    """Count messages (bytes if nothing is read), and send back what is asked for as text."""
    count, used = 0, time.process_time()
    while True:
        data = await channel.receive()
        if isinstance(data, str):
            await channel.send(json.dumps([count, time.process_time() - used]) if data == "count" else data)
            count, used = (0, time.process_time()) if data == "count" else (count, used)
        elif way == "frames":
            frame = decode(data)
            assert isinstance(frame, Messages)
            for item in frame.items:
                count += item.value["type"] == "bench"
        else:
            count += len(data)


async def send_direct(way: str, host: str, port: int) -> None:
    made = connector(way)
    await made.prepare()
    dialing = await made.dial(IcePolicy.LAN)
    reader, writer = await asyncio.open_connection(host, port)
    offer = dialing.offer
    writer.write(json.dumps({"kind": offer.kind, "type": offer.type, "sdp": offer.sdp}).encode() + b"\n")
    channel = await dialing.accept(Description(**json.loads(await reader.readline()), candidates=()))
    await channel.opened(soon())

    async def ask(text: str) -> Any:
        await channel.send(text)
        return await channel.receive()

    async def burst(size: int, count: int) -> tuple[int, float]:
        if way == "frames":
            await send_frames(channel, size, count)
        else:
            await send_bytes(channel, size, count)
        count, used = json.loads(await ask("count"))
        return count, used

    await measure(way, ask, burst)
    await channel.aclose()
    await made.aclose()


async def send_bytes(channel: Channel, size: int, count: int) -> None:
    most = per_frame(size)
    frame = encode(0, 0, [pack(message(size)) for _ in range(most)])
    for _ in range(count // most):
        await channel.send(frame)


async def send_frames(channel: Channel, size: int, count: int) -> None:
    most, squeezer = per_frame(size), Squeezer()
    value = message(size)
    for start in range(0, count, most):
        bodies = [pack(value) for _ in range(min(most, count - start))]
        await channel.send(squeezer.squeeze(encode(0, start, bodies)))


# The two ends of a link.


async def serve_peer() -> None:
    count, used = 0, time.process_time()
    async with create_peer(device_id="echo", property_id="bench", security="open") as peer:
        say(event="ready")
        async for peer_id, value in peer.messages():
            if isinstance(value, dict):
                count += value["type"] == "bench"
            elif value == "count":
                await peer.send_to_peer(peer_id, [count, time.process_time() - used], durable=False)
                count, used = 0, time.process_time()
            else:
                await peer.send_to_peer(peer_id, value, durable=False)


async def send_peer() -> None:
    async with create_peer(device_id="send", property_id="bench", security="open") as peer:
        linked = asyncio.Event()
        peer.on("peer-connected", lambda _: linked.set())
        inbox = peer.messages()
        await linked.wait()

        async def ask(text: str) -> Any:
            await peer.send_to_peer("echo", text, durable=False)
            return (await anext(inbox))[1]

        async def burst(size: int, count: int) -> tuple[int, float]:
            value = message(size)
            for _ in range(count):
                await peer.send_to_peer("echo", value, durable=False)
            got, used = await ask("count")
            return got, used

        await measure("peer", ask, burst)


async def measure(way: str, ask: Callable[[str], Awaitable[Any]], burst: Callable[[int, int], Awaitable[tuple[int, float]]]) -> None:
    """Round trips, then bursts of each size; CPU counts at both ends."""
    trips = []
    for number in range(PINGS):
        begin = time.perf_counter()
        await ask(f"ping {number}")
        trips.append((time.perf_counter() - begin) * 1000)
    say(event="ping", ms=statistics.median(trips))
    for size, count in SIZES.items():
        whole = count // per_frame(size) * per_frame(size)
        for _ in range(ROUNDS):
            await ask("count")
            begin, used = time.perf_counter(), time.process_time()
            got, used_there = await burst(size, whole)
            seconds, used_here = time.perf_counter() - begin, time.process_time() - used
            assert way in ("bytes", "plugin") or got == whole, (got, whole)
            say(event="burst", size=size, per_second=whole / seconds, cpu_us=(used_here + used_there) / whole * 1e6)
    say(event="done")


async def main(way: str, role: str, *rest: str) -> None:
    if way == "peer":
        await (serve_peer() if role == "serve" else send_peer())
    elif role == "serve":
        await serve_direct(way, int(rest[0]))
    else:
        await send_direct(way, rest[0], int(rest[1]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
