"""A site in memory: devices with peer-relay, and links that a test opens and cuts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from hallway.interfaces import SignalingHost
from hallway.model import DeviceInfo, Envelope, Gone, Origin, PeerRecord, Refusal, Seen, Sighting
from hallway.testing.conformance import context
from hallway.testing.conformance.leftovers import nothing_left_running
from hallway.testing.memory import Hub
from hallway.testing.memory.control import MemoryBus
from hallway_peer_relay_signaling._limits import Bounds
from hallway_peer_relay_signaling.config import PeerRelayConfig
from hallway_peer_relay_signaling.signaling import PeerRelaySignaling

OFFER = Envelope("offer", "application/json", b'{"an":"offer"}')
ANSWER = Envelope("answer", "application/json", b'{"an":"answer"}')
QUICK: dict[str, Any] = {"head_start": 0, "after_loss": 0, "news_interval": 0.01, "news_rate": 1000, "news_burst": 1000}


class RecordingHost(SignalingHost):
    """Keeps what it is told, and answers as it is made to."""

    def __init__(self) -> None:
        self.seen: list[tuple[Envelope, Origin]] = []
        self.records: dict[str, PeerRecord] = {}
        self.sightings: list[Sighting] = []
        self.states: list[Any] = []
        self.outcome: Envelope | Refusal = ANSWER
        self.hold: asyncio.Event | None = None
        self.error: Exception | None = None
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.changed = asyncio.Condition()

    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        self.seen.append((envelope, origin))
        self.begun.set()
        try:
            if self.error is not None:
                raise self.error
            if self.hold is not None:
                await self.hold.wait()
        finally:
            self.ended.set()
        return self.outcome

    def report(self, sighting: Sighting) -> None:
        self.sightings.append(sighting)
        match sighting:
            case Seen(record):
                self.records[record.device_id] = record
            case Gone(device_id):
                del self.records[device_id]

    def up(self, listen: tuple[str, ...]) -> None:
        self.states.append(listen)

    def down(self, reason: str) -> None:
        self.states.append(reason)


@attrs.define(eq=False)
class Device:
    """A device whose plugin runs."""

    info: DeviceInfo
    bus: MemoryBus
    carrier: PeerRelaySignaling
    host: RecordingHost

    @property
    def name(self) -> str:
        return self.info.device_id

    async def ask(self, endpoint: str, envelope: Envelope = OFFER, patience: float = 10.0) -> Envelope | Refusal:
        return await self.carrier.request(endpoint, envelope, asyncio.get_running_loop().time() + patience)

    async def tell(self, peer: str, kind: str, body: Any) -> Any:
        """Send something over the bus, past the plugin."""
        return await self.bus.request(peer, kind, body, asyncio.get_running_loop().time() + 10)

    async def sees(self, *names: str) -> None:
        """Wait until exactly these peers are in sight."""
        async with asyncio.timeout(10):
            while set(self.host.records) != set(names):
                await asyncio.sleep(0.005)

    async def aclose(self) -> None:
        await self.carrier.aclose()
        await self.bus.aclose()


@attrs.define(eq=False)
class Site:
    hub: Hub = attrs.field(factory=Hub)
    devices: list[Device] = attrs.field(factory=list)
    buses: list[MemoryBus] = attrs.field(factory=list)

    async def device(self, name: str, *links: str, relay: bool = True, epoch: str = "e1", **bounds: Any) -> Device:
        """A device that runs, with links to others."""
        info = DeviceInfo(name, "house", "tablet", epoch)
        bus = self.bare(name)
        carrier = PeerRelaySignaling(PeerRelayConfig(relay), attrs.evolve(context(info), bus=bus), bounds=Bounds(**QUICK | bounds))
        device = Device(info, bus, carrier, RecordingHost())
        self.devices.append(device)
        await carrier.start(device.host)
        for peer in links:
            bus.link(peer)
        return device

    def bare(self, name: str, *links: str) -> MemoryBus:
        """A device without the plugin, or one whose part the test plays itself."""
        bus = MemoryBus(self.hub, name)
        self.buses.append(bus)
        for peer in links:
            bus.link(peer)
        return bus

    async def three(self, **bounds: Any) -> tuple[Device, Device, Device]:
        """a is linked to b and c, which are not linked to each other, and see each other through it."""
        a, b, c = await self.device("a", **bounds), await self.device("b", "a", **bounds), await self.device("c", "a", **bounds)
        await b.sees("c")
        await c.sees("b")
        return a, b, c

    async def aclose(self) -> None:
        for device in self.devices:
            await device.aclose()
        for bus in self.buses:
            await bus.aclose()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Makes devices; ends them and checks that nothing is left running."""
    async with nothing_left_running():
        site = Site()
        yield site
        await site.aclose()
