"""Two devices that are up, each with a host that notes what the carrier tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest_asyncio

from hallway.interfaces import Signaling, SignalingHost
from hallway.model import DeviceInfo, Envelope, Gone, Origin, PeerRecord, Refusal, Seen, Sighting, same_device
from hallway.plugins import SignalingProvider
from hallway.testing.conformance.bench import Bench, soon, until
from hallway.testing.conformance.capabilities import SignalingCapabilities
from hallway.testing.conformance.leftovers import nothing_left_running
from hallway.testing.conformance.suite import Make, Suite

JSON = "application/json"
BYTES = "application/octet-stream"
OFFER = Envelope("offer", JSON, b'{"an":"offer"}')
ANSWER = Envelope("answer", JSON, b'{"an":"answer"}')

Handler = Callable[[Envelope], Awaitable[Envelope | Refusal]]


async def answers(_: Envelope) -> Envelope | Refusal:
    """The handler of a device that is willing."""
    return ANSWER


class Held:
    """A handler that answers when it is let go, and notes its cancellation."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, _: Envelope) -> Envelope | Refusal:
        """Wait to be let go."""
        self.begun.set()
        try:
            await self.free.wait()
        finally:
            self.ended.set()
        return ANSWER


class Party(SignalingHost):
    """One device: its carrier, and the host that the carrier talks to. ``faults`` are promises that were broken on the way."""

    def __init__(self, device: DeviceInfo, signaling: Signaling) -> None:
        self.device = device
        self.signaling = signaling
        self.handler: Handler = answers
        self.handled: list[tuple[Envelope, Origin]] = []
        self.listen: tuple[str, ...] | None = None
        self.peers: dict[str, PeerRecord] = {}
        self.faults: list[str] = []
        self._closed = False

    async def start(self) -> None:
        """Bring the carrier up."""
        await self.signaling.start(self)

    async def aclose(self) -> None:
        """Close the carrier; it must be silent from then on."""
        await self.signaling.aclose()
        self._closed = True

    async def request(self, endpoint: str, envelope: Envelope = OFFER, deadline: float | None = None) -> Envelope | Refusal:
        """Ask the device behind ``endpoint``."""
        return await self.signaling.request(endpoint, envelope, soon() if deadline is None else deadline)

    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        """See `SignalingHost.handle`."""
        self._alive("handle")
        self.handled.append((envelope, origin))
        return await self.handler(envelope)

    def report(self, sighting: Sighting) -> None:
        """See `SignalingHost.report`."""
        self._alive("report")
        match sighting:
            case Seen(record):
                if record.property_id != self.device.property_id or same_device(record.device_id, self.device.device_id):
                    self.faults.append(f"{record} must not be reported to {self.device}")
                self.peers[record.device_id] = record
            case Gone(device_id):
                if self.peers.pop(device_id, None) is None:
                    self.faults.append(f"{device_id} is reported gone and was never seen")

    def up(self, listen: tuple[str, ...]) -> None:
        """See `SignalingHost.up`."""
        self._alive("up")
        self.listen = listen

    def down(self, reason: str) -> None:
        """See `SignalingHost.down`."""
        self._alive("down")
        self.listen = None

    def _alive(self, call: str) -> None:
        if self._closed:
            self.faults.append(f"{call} was called after aclose had returned")


class SignalingBench(Bench[Signaling]):
    """Two devices, ``near`` and ``far``; the flipped pair is made and started in the other order."""

    def __init__(self, make: Make[Signaling], *, flipped: bool, presence: bool) -> None:
        super().__init__(make)
        first, second = self.party(), self.party()
        self.near, self.far = (second, first) if flipped else (first, second)
        self._order = (first, second)
        self._presence = presence
        self.parties: list[Party]

    def party(self, device: DeviceInfo | None = None) -> Party:
        """One more device, not started."""
        device = device or self.info()
        made = Party(device, self.make(device))
        self.parties = [*getattr(self, "parties", ()), made]
        self.closes(made.aclose)
        return made

    async def start(self) -> None:
        """Bring both devices up."""
        for party in self._order:
            await party.start()

    async def endpoint(self, asker: Party, asked: Party) -> str:
        """Where ``asker`` reaches ``asked``."""
        name = asked.device.device_id
        if self._presence:
            await until(lambda: name in asker.peers, f"{name} was reported to {asker.device.device_id}")
            return asker.peers[name].endpoints[0]
        assert asked.listen, "a carrier that is up names its endpoints"
        return asked.listen[0]


class SignalingBase(Suite):
    """The fixtures of the signaling tests."""

    provider: SignalingProvider
    capabilities: SignalingCapabilities

    def site(self) -> AbstractAsyncContextManager[Make[Signaling]]:
        """Where devices can reach each other: yields what makes a device's carrier. The author's."""
        raise NotImplementedError("a conformance class says by `site` how its carriers are made")

    @pytest_asyncio.fixture(loop_scope="function")
    async def idle(self, flipped: bool) -> AsyncIterator[SignalingBench]:
        """Two devices that are not started, and nothing left of them afterwards."""
        presence = self.capabilities.presence
        async with nothing_left_running(), self.site() as make:
            async with SignalingBench(make, flipped=flipped, presence=presence) as bench:
                yield bench
            assert [fault for party in bench.parties for fault in party.faults] == []

    @pytest_asyncio.fixture(loop_scope="function")
    async def bench(self, idle: SignalingBench) -> SignalingBench:
        """Two devices that are up."""
        await idle.start()
        return idle

    @pytest_asyncio.fixture(loop_scope="function")
    async def url(self, bench: SignalingBench) -> str:
        """Where the near device reaches the far one."""
        return await bench.endpoint(bench.near, bench.far)
