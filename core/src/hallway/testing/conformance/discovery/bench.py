"""Devices of one property that look for each other, each with a watcher that checks every report."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import attrs
import pytest_asyncio

from hallway.interfaces import Discovery, DiscoveryHost
from hallway.model import DeviceInfo, Gone, PeerRecord, Seen, Sighting, same_device
from hallway.plugins import DiscoveryProvider
from hallway.testing.conformance.bench import DEADLINE, Bench
from hallway.testing.conformance.capabilities import DiscoveryCapabilities
from hallway.testing.conformance.leftovers import nothing_left_running
from hallway.testing.conformance.suite import Make, Suite


class Watcher(DiscoveryHost):
    """One device: its discovery, and the host that the discovery talks to. ``faults`` are promises that were broken on the way."""

    def __init__(self, device: DeviceInfo, discovery: Discovery) -> None:
        self.device = device
        self.discovery = discovery
        self.peers: dict[str, PeerRecord] = {}
        self.sightings: list[Sighting] = []
        self.faults: list[str] = []
        self._changed = asyncio.Event()
        self._thread = threading.get_ident()
        self._closed = False

    @property
    def name(self) -> str:
        """The device's id."""
        return self.device.device_id

    def report(self, sighting: Sighting) -> None:
        """See `DiscoveryHost.report`."""
        if self._closed:
            self.faults.append(f"{sighting} was reported after aclose had returned")
        if threading.get_ident() != self._thread:
            self.faults.append(f"{sighting} was reported from another thread than the loop's")
        self.sightings.append(sighting)
        match sighting:
            case Seen(record):
                self._seen(record)
            case Gone(device_id):
                if self.peers.pop(device_id, None) is None:
                    self.faults.append(f"{device_id} is reported gone and was not seen")
        self._changed.set()

    def _seen(self, record: PeerRecord) -> None:
        if record.property_id != self.device.property_id:
            self.faults.append(f"{record} belongs to another property than {self.device}")
        if same_device(record.device_id, self.name):
            self.faults.append(f"{record} is this device itself")
        self.peers[record.device_id] = record

    async def start(self) -> None:
        """Browse."""
        await self.discovery.start(self)

    async def aclose(self) -> None:
        """Close the discovery; it must be silent from then on."""
        await self.discovery.aclose()
        self._closed = True

    async def until(self, condition: Callable[[dict[str, PeerRecord]], bool], what: str) -> None:
        """Wait until what is seen fulfils ``condition``."""
        try:
            async with asyncio.timeout(DEADLINE):
                while not condition(self.peers):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise AssertionError(f"{self.name} did not see within {DEADLINE:g} s that {what}; it sees {self.peers}") from error

    async def sees(self, other: Watcher, endpoint: str | None = None, epoch: str | None = None) -> PeerRecord:
        """Wait until ``other`` is seen, with that endpoint first and that epoch if they are given."""

        def found(peers: dict[str, PeerRecord]) -> bool:
            record = peers.get(other.name)
            return record is not None and endpoint in {None, *record.endpoints[:1]} and epoch in {None, record.epoch}

        await self.until(found, f"{other.name} is there, at {endpoint or 'any endpoint'}")
        return self.peers[other.name]

    async def misses(self, other: Watcher) -> None:
        """Wait until ``other`` is not seen any more."""
        await self.until(lambda peers: other.name not in peers, f"{other.name} has gone")


@attrs.frozen
class Pair:
    """Two devices that are up. Who watches came first, or last if the pair is flipped."""

    watching: Watcher
    watched: Watcher


class DiscoveryBench(Bench[Discovery]):
    """Makes the devices of a test."""

    def __init__(self, make: Make[Discovery], endpoints: tuple[str, str]) -> None:
        super().__init__(make)
        self.endpoints = endpoints
        self.watchers: list[Watcher] = []

    def watcher(self, device: DeviceInfo | None = None, *, property_id: str | None = None) -> Watcher:
        """One more device, not started."""
        device = device or self.info("device", property_id=property_id)
        made = Watcher(device, self.make(device))
        self.watchers.append(made)
        self.closes(made.aclose)
        return made

    async def looking(self, device: DeviceInfo | None = None, *, property_id: str | None = None) -> Watcher:
        """A device that browses and does not advertise."""
        made = self.watcher(device, property_id=property_id)
        await made.start()
        return made

    async def present(self, device: DeviceInfo | None = None, *, property_id: str | None = None) -> Watcher:
        """A device that browses and advertises the first endpoint."""
        made = await self.looking(device, property_id=property_id)
        await made.discovery.advertise(self.endpoints[:1])
        return made


class DiscoveryBase(Suite):
    """The fixtures of the discovery tests."""

    provider: DiscoveryProvider
    capabilities: DiscoveryCapabilities

    def site(self) -> AbstractAsyncContextManager[Make[Discovery]]:
        """Where devices can see each other: yields what makes a device's discovery. The author's."""
        raise NotImplementedError("a conformance class says by `site` how its discoveries are made")

    async def notices(self, watching: Watcher, watched: Watcher) -> None:
        """Wait until ``watched`` is seen, unless nobody ever sees a device because it advertises."""
        if self.capabilities.advertises:
            await watching.sees(watched)

    @pytest_asyncio.fixture(loop_scope="function")
    async def bench(self) -> AsyncIterator[DiscoveryBench]:
        """A site without devices, and nothing left of those that a test makes."""
        endpoints = self.capabilities.endpoints
        async with nothing_left_running(), self.site() as make:
            async with DiscoveryBench(make, endpoints) as bench:
                yield bench
            assert [fault for watcher in bench.watchers for fault in watcher.faults] == []

    @pytest_asyncio.fixture(loop_scope="function")
    async def pair(self, bench: DiscoveryBench, flipped: bool) -> Pair:
        """A device that watches and one that is watched, both ways round."""
        if flipped:
            watched = await bench.present()
            return Pair(await bench.looking(), watched)
        return Pair(await bench.looking(), await bench.present())
