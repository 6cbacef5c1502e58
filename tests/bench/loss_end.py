"""One end of connects over a lossy network. JSON lines in and out: descriptions pass through the pipes, so only the channel meets the loss.

Usage: loss_end.py (bare | hallway)

Commands have ``do`` (offer, answer, accept, stream, close) and ``id``, a number; answer and accept have the other end's ``sdp``, and
stream has ``size``, bytes, and ``pause``, seconds: it sends messages until the close. What is printed has ``id`` and ``event``: sdp (with
``sdp``, an offer or answer), open, failed, closed, and resumed, when a message comes after a silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from typing import Any, Protocol

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from hallway.errors import ChannelClosed, ClosedError, NetworkError
from hallway.interfaces import Channel, Dialing
from hallway.model import Description, DeviceInfo, IcePolicy
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_aiortc_channel import AiortcConfig, AiortcConnector

PATIENCE = 40.0
SILENCE = 1.5
"""Seconds without a message that make the next one worth a line."""
HIGH_WATER = 1024 * 1024
"""Bytes that the bare end lets aiortc hold before it waits, as hallway does."""


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


class Arrivals:
    """Tells of the first message after a silence."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._last = time.monotonic()

    def arrived(self, _: object = None) -> None:
        now = time.monotonic()
        if now - self._last > SILENCE:
            say(event="resumed", id=self._number)
        self._last = now


class End(Protocol):
    """What makes and closes the connections of one process, by number."""

    async def offer(self, number: int) -> str: ...

    async def answer(self, number: int, sdp: str) -> str: ...

    async def accept(self, number: int, sdp: str) -> None: ...

    async def stream(self, number: int, size: int, pause: float) -> None: ...

    async def close(self, number: int) -> None: ...


class Bare:
    """aiortc's peer connections as they are."""

    def __init__(self) -> None:
        self.peers: dict[int, RTCPeerConnection] = {}
        self.channels: dict[int, RTCDataChannel] = {}

    def _peer(self, number: int) -> RTCPeerConnection:
        self.peers[number] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        return self.peers[number]

    async def offer(self, number: int) -> str:
        peer = self._peer(number)
        self.channels[number] = peer.createDataChannel("data")
        self.channels[number].on("open", lambda: say(event="open", id=number))
        await peer.setLocalDescription(await peer.createOffer())
        return str(peer.localDescription.sdp)

    async def answer(self, number: int, sdp: str) -> str:
        peer = self._peer(number)

        def on_channel(channel: RTCDataChannel) -> None:
            channel.on("message", Arrivals(number).arrived)
            say(event="open", id=number)

        peer.on("datachannel", on_channel)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return str(peer.localDescription.sdp)

    async def accept(self, number: int, sdp: str) -> None:
        await self.peers[number].setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def stream(self, number: int, size: int, pause: float) -> None:
        channel = self.channels[number]
        while channel.readyState == "open":
            channel.send(bytes(size))
            await asyncio.sleep(pause)
            while channel.bufferedAmount > HIGH_WATER:
                await asyncio.sleep(0.005)

    async def close(self, number: int) -> None:
        await self.peers.pop(number).close()


class Hallway:
    """hallway's connector, as a device uses it."""

    def __init__(self) -> None:
        self.connector = AiortcConnector(AiortcConfig(), PluginContext(DeviceInfo("end", "bench"), InterfacePolicy(), Resolver()))
        self.dialings: dict[int, Dialing] = {}
        self.channels: dict[int, Channel] = {}
        self.waiting: set[asyncio.Task[None]] = set()

    async def offer(self, number: int) -> str:
        self.dialings[number] = await self.connector.dial(IcePolicy.LAN)
        return self.dialings[number].offer.sdp

    async def answer(self, number: int, sdp: str) -> str:
        answer, channel = await self.connector.answer(Description("webrtc", "offer", sdp), IcePolicy.LAN)
        self._watch(number, channel)
        return answer.sdp

    async def accept(self, number: int, sdp: str) -> None:
        self._watch(number, await self.dialings.pop(number).accept(Description("webrtc", "answer", sdp)))

    async def stream(self, number: int, size: int, pause: float) -> None:
        channel = self.channels[number]
        with contextlib.suppress(ChannelClosed, ClosedError):
            while True:
                await channel.send(bytes(size))
                await asyncio.sleep(pause)

    async def close(self, number: int) -> None:
        await self.channels.pop(number).aclose()

    def _watch(self, number: int, channel: Channel) -> None:
        self.channels[number] = channel
        task = asyncio.create_task(self._opened(number, channel))
        self.waiting.add(task)
        task.add_done_callback(self.waiting.discard)

    async def _opened(self, number: int, channel: Channel) -> None:
        try:
            await channel.opened(asyncio.get_running_loop().time() + PATIENCE)
        except NetworkError as error:
            say(event="failed", id=number, error=str(error))
            return
        say(event="open", id=number)
        arrivals = Arrivals(number)
        with contextlib.suppress(ChannelClosed, ClosedError):
            while True:
                await channel.receive()
                arrivals.arrived()


async def obey(end: End, command: dict[str, Any]) -> None:
    number = command["id"]
    match command["do"]:
        case "offer":
            say(event="sdp", id=number, sdp=await end.offer(number))
        case "answer":
            say(event="sdp", id=number, sdp=await end.answer(number, command["sdp"]))
        case "accept":
            await end.accept(number, command["sdp"])
        case "stream":
            await end.stream(number, command["size"], command["pause"])
        case "close":
            await end.close(number)
            say(event="closed", id=number)


async def main(kind: str) -> None:
    end: End = Bare() if kind == "bare" else Hallway()
    if isinstance(end, Hallway):
        await end.connector.prepare()
    reader = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(event="ready")
    async with asyncio.TaskGroup() as group:
        while line := await reader.readline():
            group.create_task(obey(end, json.loads(line)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
