"""A device that links properly and then breaks the rules of its channel: ``hostile_channel.py DEVICE_ID PROPERTY_ID VICTIM CORE``.

Each line of stdin is ``[attack, seconds]``. The attack is made over a link of its own, again over the next one as soon as it has cost the
link, until the time is over: from ``{"event": "attacking"}`` on. Then ``{"event": "attacked", "attack", "links"}`` says how many links it
cost.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiortc import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import DataChunk
from hostile_delivery import LEGAL, Hostile, lines

from hallway import create_peer
from hallway.errors import ChannelClosed, ClosedError, HallwayError
from hallway.protocol.frames import Ping, encode

Attack = Callable[[Any], Awaitable[None]]
CHANNELS = 3000
TEXT, BINARY, DCEP = 51, 53, 50
"""Payload protocol identifiers (RFC 8831 section 8)."""
OPEN = b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
"""A message that opens a reliable channel without a label (RFC 8832 section 5.1)."""
BURST = 64


async def message_of_8_mib(channel: Any) -> None:
    await channel._session.sctp._send(channel._data_channel.id, BINARY, bytes(8 * 1024 * 1024))


async def endless_fragments(channel: Any) -> None:
    """Each a byte, the first the beginning of a message, none the end."""
    sctp = channel._session.sctp
    for number in itertools.count():
        chunk = DataChunk(flags=2 if number == 0 else 0)
        chunk.tsn, sctp._local_tsn = sctp._local_tsn, (sctp._local_tsn + 1) % 2**32
        chunk.stream_id, chunk.stream_seq, chunk.protocol, chunk.user_data = channel._data_channel.id, 1, BINARY, b"x"
        await sctp._send_chunk(chunk)
        if number % BURST == 0:
            await asyncio.sleep(0)


async def channels(channel: Any) -> None:
    for number in range(CHANNELS):
        RTCDataChannel(channel._session.sctp, RTCDataChannelParameters(label=f"extra-{number}"))
        if number % BURST == 0:
            await asyncio.sleep(0)


async def bad_utf8(channel: Any) -> None:
    await channel._session.sctp._send(channel._data_channel.id, TEXT, b"\xff\xfe")


async def open_again(channel: Any) -> None:
    await channel._session.sctp._send(channel._data_channel.id, DCEP, OPEN)


async def tiny_messages(channel: Any) -> None:
    """A million, and more if there is time: all of them legal."""
    for data in itertools.cycle(LEGAL["a million tiny messages"]):
        await channel.send(data)


async def tiny_frames(channel: Any) -> None:
    for number in itertools.count():
        await channel.send(encode(Ping(number)))


async def no_acknowledgement(channel: Any) -> None:
    """What comes is neither acknowledged by SCTP nor by delivery."""

    async def nothing() -> None:
        return

    channel._session.sctp._send_sack = nothing
    await asyncio.Event().wait()


ATTACKS: dict[str, Attack] = {
    "a message of 8 MiB": message_of_8_mib,
    "endless fragments": endless_fragments,
    "3,000 channels": channels,
    "bad UTF-8": bad_utf8,
    "OPEN twice": open_again,
    "a million tiny messages": tiny_messages,
    "a million tiny frames": tiny_frames,
    "never an acknowledgement": no_acknowledgement,
}


async def attack(hostile: Hostile, make: Attack, seconds: float) -> int:
    """Attack for so long, from the first link on; returns how many links it cost."""
    await hostile.link()
    print(json.dumps({"event": "attacking"}), flush=True)
    cost, over = 0, asyncio.get_running_loop().time() + seconds
    with suppress(TimeoutError):
        async with asyncio.timeout_at(over):
            while True:
                link = await hostile.link()
                run = link.open
                making = asyncio.create_task(make(run.channel))
                try:
                    while link.open is run:
                        await asyncio.sleep(0.005)
                    cost += 1
                finally:
                    making.cancel()
                    with suppress(asyncio.CancelledError, ChannelClosed, ClosedError, HallwayError, ConnectionError):
                        await making
    return cost


async def main(device_id: str, property_id: str, victim: str, core: str) -> None:
    os.sched_setaffinity(0, {int(core)})
    async with create_peer(device_id=device_id, property_id=property_id, security="open") as peer:
        hostile = Hostile(peer, victim)
        await hostile.link()
        print(json.dumps({"event": "linked"}), flush=True)
        async for name, seconds in lines():
            cost = await attack(hostile, ATTACKS[name], seconds)
            print(json.dumps({"event": "attacked", "attack": name, "links": cost, "at": time.monotonic()}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
