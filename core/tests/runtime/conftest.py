"""A whole device over the memory plugins, and a stranger that speaks to it by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from durable_devices import PROPERTY, durable_device

from hallway import Peer
from hallway.interfaces import SignalingHost
from hallway.model import Candidate, Description, DeviceInfo, Envelope, IcePolicy, Origin, PeerRecord, Refusal, Sighting
from hallway.protocol.frames import Frame, Hello, Request, decode, encode
from hallway.testing.memory.channel import MemoryChannel, MemoryConnector
from hallway.testing.memory.hub import Hub, hub_named
from hallway.trust import OpenGuard, Signal

ORIGIN = Origin("memory")
Handler = Callable[[Signal], Awaitable[Envelope | Refusal]]


class Stranger(SignalingHost):
    """A device of the test's own making at a hub. ``marked``: whether it shows that it speaks hallway."""

    def __init__(self, hub: Hub, device_id: str, *, marked: bool = True, epoch: str = "e1") -> None:
        self.hub, self.device_id, self.marked, self.epoch = hub, device_id, marked, epoch
        self.guard = OpenGuard(DeviceInfo(device_id, PROPERTY, epoch=epoch))
        self.connector = MemoryConnector(hub)
        self.offers: asyncio.Queue[Signal] = asyncio.Queue()
        self.on_offer: Handler = self.answer_at_once
        self.channels: asyncio.Queue[MemoryChannel] = asyncio.Queue()

    def listen(self) -> None:
        """Take requests, without being seen by anybody."""
        self.hub.listeners[self.device_id.lower()] = self

    def arrive(self) -> None:
        """Be seen by every other device of the property, and take requests."""
        self.listen()
        self.hub.advertise(PeerRecord(self.device_id, PROPERTY, endpoints=(f"memory://{self.device_id}",), epoch=self.epoch))

    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        signal = self.guard.open(envelope, origin, 0.0)
        assert isinstance(signal, Signal)
        self.offers.put_nowait(signal)
        return await self.on_offer(signal)

    async def answer_at_once(self, signal: Signal) -> Envelope:
        assert signal.description is not None
        description, channel = await self.connector.answer(signal.description, IcePolicy.LAN)
        assert isinstance(channel, MemoryChannel)
        self.channels.put_nowait(channel)
        return self.seal(signal.sender, description)

    def seal(self, to: str, content: Description | Candidate) -> Envelope:
        envelope = self.guard.seal(to, content, 0.0)
        if self.marked:
            return envelope
        body = json.loads(envelope.body)
        del body["hallway"]
        return Envelope(envelope.kind, envelope.content_type, json.dumps(body).encode())

    async def request(self, to: str, content: Description | Candidate) -> Envelope | Refusal:
        return await self.hub.listeners[to].handle(self.seal(to, content), ORIGIN)

    async def dial(self, to: str) -> MemoryChannel:
        """An open channel to the device ``to``, over an offer of ours; nothing has been said in it."""
        dialing = await self.connector.dial(IcePolicy.LAN)
        reply = await self.request(to, dialing.offer)
        assert isinstance(reply, Envelope), reply
        signal = self.guard.open(reply, ORIGIN, 0.0)
        assert isinstance(signal, Signal)
        assert signal.description is not None
        channel = await dialing.accept(signal.description)
        assert isinstance(channel, MemoryChannel)
        return channel

    async def greet(self, channel: MemoryChannel, to: str, **change: Any) -> Frame:
        """Say hello once the channel is open, and return the first frame of the other end."""
        await channel.opened(asyncio.get_running_loop().time() + 10)
        await channel.send(encode(Hello(**{"sender": self.device_id, "to": to, "epoch": self.epoch} | change)))
        return decode(await channel.receive())

    async def link(self, to: str, *, moves: bool = False) -> MemoryChannel:
        """An open link to the device ``to``. ``moves``: it carries on the one that there is."""
        channel = await self.dial(to)
        assert isinstance(await self.greet(channel, to, moves=moves), Hello)
        return channel

    async def heard(self, channel: MemoryChannel) -> Frame:
        """The next frame of the other end that is not for the control bus."""
        while isinstance(frame := decode(await channel.receive()), Request):
            pass
        return frame

    def report(self, sighting: Sighting) -> None: ...
    def up(self, listen: tuple[str, ...]) -> None: ...
    def down(self, reason: str) -> None: ...


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Hub:
    return hub_named(request.node.name)


@pytest.fixture
def stranger(hub: Hub) -> Callable[..., Stranger]:
    return lambda device_id="stranger", **settings: Stranger(hub, device_id, **settings)


@pytest.fixture
def make_device(request: pytest.FixtureRequest) -> Callable[[str], Peer]:
    return lambda device_id="tablet-1": durable_device(device_id, request.node.name, None)


@pytest.fixture
async def device(make_device: Callable[[str], Peer], hub: Hub) -> AsyncIterator[Peer]:
    async with make_device("tablet-1") as peer:
        yield peer


class Watch:
    """The events of one device, in order."""

    def __init__(self, peer: Peer) -> None:
        self._events = peer.events()

    async def first(self, kind: type) -> Any:
        """The next event of a kind; those before it are skipped."""
        async with asyncio.timeout(10):
            async for event in self._events:
                if isinstance(event, kind):
                    return event
        raise AssertionError(f"the device has closed without a {kind.__name__}")

    def close(self) -> None:
        self._events.close()


@pytest.fixture
async def events(device: Peer) -> AsyncIterator[Watch]:
    watch = Watch(device)
    yield watch
    watch.close()


@pytest.fixture
def watch() -> type[Watch]:
    return Watch
