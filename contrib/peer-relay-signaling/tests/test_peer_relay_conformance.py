"""peer-relay keeps the promises of a carrier, between two devices of which each is linked to a third one alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs

from hallway.interfaces import Signaling, SignalingHost
from hallway.model import DeviceInfo, Envelope, Origin, Refusal, RefusalCode, Sighting
from hallway.testing.conformance import SignalingCapabilities, SignalingConformance, context
from hallway.testing.memory import Hub
from hallway.testing.memory.control import MemoryBus
from hallway_peer_relay_signaling._limits import Bounds
from hallway_peer_relay_signaling.config import PeerRelayConfig
from hallway_peer_relay_signaling.plugin import hallway_signaling
from hallway_peer_relay_signaling.signaling import PeerRelaySignaling

QUICK = Bounds(head_start=0, news_interval=0.01, news_rate=1000, news_burst=1000)
"""As in the field, but presence is told without a pause."""


@attrs.define(eq=False)
class Device(Signaling):
    """The carrier of a device whose links go down when it closes."""

    bus: MemoryBus
    carrier: PeerRelaySignaling

    @classmethod
    def of(cls, hub: Hub, device: DeviceInfo) -> Device:
        bus = MemoryBus(hub, device.device_id)
        return cls(bus, PeerRelaySignaling(PeerRelayConfig(), attrs.evolve(context(device), bus=bus), bounds=QUICK))

    async def start(self, host: SignalingHost) -> None:
        await self.carrier.start(host)

    async def request(self, endpoint: str, envelope: Envelope, deadline: float) -> Envelope | Refusal:
        return await self.carrier.request(endpoint, envelope, deadline)

    async def aclose(self) -> None:
        await self.carrier.aclose()
        await self.bus.aclose()


class Bystander(SignalingHost):
    """The host of a relay, which has nothing to say itself."""

    async def handle(self, envelope: Envelope, origin: Origin) -> Refusal:
        return Refusal(RefusalCode.INTERNAL, "nobody should have asked the relay")

    def report(self, sighting: Sighting) -> None: ...

    def up(self, listen: tuple[str, ...]) -> None: ...

    def down(self, reason: str) -> None: ...


class TestPeerRelay(SignalingConformance):
    provider = next(iter(hallway_signaling()))
    # The bus tells nobody that a request was given up: the handler ends at the deadline, which the relay passes on.
    capabilities = SignalingCapabilities(presence=True, knows_addresses=False, cancels_handler=False)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Signaling]]:
        hub = Hub()
        relays = [Device.of(hub, DeviceInfo(f"relay-{number}", "any", "desk", "r")) for number in (1, 2)]
        for relay in relays:
            await relay.start(Bystander())
        free, of_property = iter(relays), {}

        def make(device: DeviceInfo) -> Signaling:
            relay = of_property.setdefault(device.property_id, None) or next(free)
            of_property[device.property_id] = relay
            made = Device.of(hub, device)
            made.bus.link(relay.bus.device_id)
            return made

        yield make
        for relay in relays:
            await relay.aclose()
