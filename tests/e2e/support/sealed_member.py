"""`mallory.Mallory` makes channels of her own, and breaks the rules in each: ``sealed_member.py SITE FOREIGN VICTIM ADDRESS``.

One attack after the other; ``{"event": "attacked", "attack", "ended", "seconds"}`` says whether the victim has ended the channel, and when.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from mallory import OCTETS, ORIGIN, Answer, Mallory, fingerprint, one_fingerprint, say

from hallway.model import Binding, Description, Envelope
from hallway.protocol import batches
from hallway.protocol.frames import Hello, encode
from hallway.runtime.links.run import SECTION
from hallway.trust import Signal

TOO_MANY = 429
PATIENCE = 8.0
MESSAGE = batches.encode(1, 1, [b"\xa4evil"])


class Channel:
    """One channel to the victim, made as a member makes it."""

    def __init__(self, mallory: Mallory, victim: str, address: str) -> None:
        self.mallory, self.victim, self.address = mallory, victim, address
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.data = self.connection.createDataChannel("data")
        self.opened, self.ended = asyncio.Event(), asyncio.Event()
        self.data.on("open", self.opened.set)
        self.data.on("close", self.ended.set)
        self.section: dict[str, Any] = {}

    async def open(self) -> None:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        own = one_fingerprint(self.connection.localDescription.sdp)
        answer = self.mallory.guard.open(Envelope("answer", "", await self._post(own)), ORIGIN, time.time())
        assert isinstance(answer, Signal), answer
        assert answer.description is not None
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.description.sdp, "answer"))
        await asyncio.wait_for(self.opened.wait(), PATIENCE)
        binding = Binding(fingerprint(own), fingerprint(answer.description.sdp))
        self.section = self.mallory.guard.hello(self.victim, binding, time.time())

    async def _post(self, sdp: str) -> bytes:
        """Post the offer, anew for as long as the victim takes none of who has just broken the protocol."""
        url, headers = f"http://{self.address}:8090/offer", {"Content-Type": OCTETS}
        async with aiohttp.ClientSession() as session:
            while True:
                sealed = self.mallory.guard.seal(self.victim, Description("webrtc", "offer", sdp), time.time())
                async with session.post(url, data=sealed.body, headers=headers) as response:
                    if response.status != TOO_MANY:
                        return await response.read()
                await asyncio.sleep(float(response.headers["Retry-After"]))

    def hello(self, sender: str = "mallory", section: dict[str, Any] | None = None) -> bytes:
        return encode(Hello(sender, self.victim, "m", sections={SECTION: self.section if section is None else section}))


def extra(channel: Channel) -> None:
    """A second data channel that talks, while no HELLO has passed."""
    second: RTCDataChannel = channel.connection.createDataChannel("second")
    second.on("open", lambda: second.send(MESSAGE))
    second.on("close", channel.ended.set)


def attacks(earlier: Channel) -> dict[str, Callable[[Channel], None]]:
    return {
        "a message before HELLO": lambda channel: channel.data.send(MESSAGE),
        "a text before HELLO": lambda channel: channel.data.send('{"type":"evil","data":1}'),
        "a second channel before HELLO": extra,
        "a HELLO without proof": lambda channel: channel.data.send(channel.hello(section={})),
        "the HELLO of another exchange": lambda channel: channel.data.send(channel.hello(section=earlier.section)),
        "the HELLO of another device": lambda channel: channel.data.send(channel.hello("tablet-1")),
        "no HELLO": lambda _: None,
        "HELLO twice": lambda channel: [channel.data.send(channel.hello()) for _ in range(2)] and None,
    }


async def main(site: str, foreign: str, victim: str, address: str) -> None:
    async def nobody(_: bytes) -> Answer:
        raise NotImplementedError

    mallory = Mallory(Path(site), Path(foreign), "tablet-1", nobody)
    earlier = Channel(mallory, victim, address)
    await earlier.open()
    channels = [earlier]
    for name, attack in attacks(earlier).items():
        channel = Channel(mallory, victim, address)
        channels.append(channel)
        await channel.open()
        begun = time.monotonic()
        attack(channel)
        try:
            await asyncio.wait_for(channel.ended.wait(), PATIENCE)
        except TimeoutError:
            say(event="attacked", attack=name, ended=False, seconds=PATIENCE)
        else:
            say(event="attacked", attack=name, ended=True, seconds=round(time.monotonic() - begun, 2))
    for channel in channels:
        await channel.connection.close()
    say(event="done")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
