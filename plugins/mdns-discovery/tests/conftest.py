"""Real mDNS on the loopback interface. Every test has a property and devices of its own, so that runs side by side do not meet."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from hallway.interfaces import DiscoveryHost
from hallway.model import DeviceInfo, Gone, PeerRecord, Seen, Sighting
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_mdns_discovery import MdnsDiscovery
from hallway_mdns_discovery.config import MdnsConfig

LOOPBACK = InterfacePolicy(allow=("lo*",))
DEADLINE = 20.0


class Watcher(DiscoveryHost):
    """Collects sightings; `until` waits for the next that makes a condition true."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []
        self.peers: dict[str, PeerRecord] = {}
        self.states: list[str] = []
        self._changed = asyncio.Event()

    def report(self, sighting: Sighting) -> None:
        self.sightings.append(sighting)
        match sighting:
            case Seen(record):
                self.peers[record.device_id] = record
            case Gone(device_id):
                del self.peers[device_id]
        self._changed.set()

    def up(self) -> None:
        self.states.append("up")
        self._changed.set()

    def down(self, reason: str) -> None:
        self.states.append(reason)
        self._changed.set()

    async def states_are(self, count: int) -> list[str]:
        await self.until(lambda _: len(self.states) >= count)
        return self.states

    async def until(self, condition: Callable[[dict[str, PeerRecord]], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition(self.peers):
                self._changed.clear()
                await self._changed.wait()

    async def sees(self, device_id: str) -> PeerRecord:
        await self.until(lambda peers: device_id in peers)
        return self.peers[device_id]


class Site:
    """Makes devices of one fresh property and closes what is left of them."""

    def __init__(self) -> None:
        self.property_id = f"site-{secrets.token_hex(6)}"
        self.interfaces = LOOPBACK
        self._made: list[MdnsDiscovery] = []

    def watcher(self) -> Watcher:
        return Watcher()

    def name(self) -> str:
        return f"t-{secrets.token_hex(6)}"

    def make(
        self,
        device_id: str,
        *,
        property_id: str | None = None,
        epoch: str = "e1",
        ttl: int = 120,
        interfaces: InterfacePolicy = LOOPBACK,
        watch: float = 2.0,
    ) -> MdnsDiscovery:
        device = DeviceInfo(device_id, property_id or self.property_id, "tablet", epoch)
        discovery = MdnsDiscovery(MdnsConfig(ttl=ttl), PluginContext(device, interfaces, Resolver()), watch=watch)
        self._made.append(discovery)
        return discovery

    async def device(
        self, device_id: str, port: int = 8090, *, property_id: str | None = None, epoch: str = "e1"
    ) -> tuple[MdnsDiscovery, Watcher]:
        discovery, watcher = self.make(device_id, property_id=property_id, epoch=epoch), Watcher()
        await discovery.start(watcher)
        await discovery.advertise((f"http://127.0.0.1:{port}",))
        return discovery, watcher

    async def aclose(self) -> None:
        await asyncio.gather(*(discovery.aclose() for discovery in self._made))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    yield site
    await site.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [thread.name for thread in threading.enumerate() if "zeroconf" in thread.name.lower()] == []


class Logged(logging.Handler):
    """Waits for log messages of the plugin."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self._arrived = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self._arrived.set()

    async def until(self, text: str) -> str:
        async with asyncio.timeout(DEADLINE):
            while not (found := [message for message in self.messages if text in message]):
                self._arrived.clear()
                await self._arrived.wait()
        return found[0]


@pytest.fixture
async def logged() -> AsyncIterator[Logged]:
    handler, logger = Logged(), logging.getLogger("hallway_mdns_discovery")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before
