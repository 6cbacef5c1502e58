"""Signal servers and carriers on loopback, and raw connections to be rude with. No test may use a thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

import attrs
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from hallway.interfaces import SignalingHost
from hallway.model import DeviceInfo, Envelope, Gone, Origin, PeerRecord, Refusal, Seen, Sighting
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway.protocol.backoff import Backoff
from hallway_cloud_ws_signaling import CloudWsConfig, CloudWsSignaling, Limits, SignalServer
from hallway_cloud_ws_signaling._limits import Bounds

OFFER = Envelope("offer", "application/json", b'{"sdp":"the offer"}')
ANSWER = Envelope("answer", "application/json", b'{"sdp":"the answer"}')


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """`getaddrinfo` and its like run in the executor: nothing here may."""

    def refuse(*_: Any) -> None:
        raise AssertionError("something wants to run in a thread")

    monkeypatch.setattr(asyncio.BaseEventLoop, "run_in_executor", refuse)


class RecordingHost(SignalingHost):
    """Keeps what it is told, and answers as it is made to."""

    def __init__(self) -> None:
        self.seen: list[tuple[Envelope, Origin]] = []
        self.records: dict[str, PeerRecord] = {}
        self.sightings: asyncio.Queue[Sighting] = asyncio.Queue()
        self.states: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.outcome: Envelope | Refusal = ANSWER
        self.hold: asyncio.Event | None = None
        self.error: Exception | None = None
        self.begun: asyncio.Queue[Envelope] = asyncio.Queue()
        self.cancelled = asyncio.Event()
        self.running = 0
        self.most = 0

    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        self.seen.append((envelope, origin))
        self.begun.put_nowait(envelope)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.error is not None:
                raise self.error
            if self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        finally:
            self.running -= 1
        return self.outcome

    def report(self, sighting: Sighting) -> None:
        match sighting:
            case Seen(record):
                self.records[record.device_id] = record
            case Gone(device_id):
                del self.records[device_id]
        self.sightings.put_nowait(sighting)

    def up(self, listen: tuple[str, ...]) -> None:
        self.states.put_nowait(("up", listen))

    def down(self, reason: str) -> None:
        self.states.put_nowait(("down", reason))

    async def until(self, state: str) -> Any:
        """Wait for the next ``up`` or ``down``; what it said."""
        while True:
            name, value = await self.states.get()
            if name == state:
                return value

    async def sees(self, *device_ids: str) -> None:
        """Wait until exactly these peers are in sight."""
        while set(self.records) != set(device_ids):
            await self.sightings.get()


@attrs.frozen
class Device:
    """A carrier and its host."""

    carrier: CloudWsSignaling
    host: RecordingHost

    async def ask(self, peer: str, envelope: Envelope = OFFER, patience: float = 20.0) -> Envelope | Refusal:
        return await self.carrier.request(f"cloud-ws:{peer}", envelope, asyncio.get_running_loop().time() + patience)


def quick() -> Backoff:
    """Delays for tests."""
    return Backoff(0.01, 0.05, lambda: 0.0)


def make_carrier(
    url: str, name: str = "tablet-1", room: str | None = None, resolver: Resolver | None = None, **bounds: Any
) -> CloudWsSignaling:
    context = PluginContext(DeviceInfo(name, "house", "tablet", f"epoch-{name}"), InterfacePolicy(), resolver or Resolver())
    return CloudWsSignaling(CloudWsConfig(url=url, room=room), context, bounds=Bounds(**bounds), backoff=quick())


class Raw:
    """A WebSocket connection whose messages the test writes itself."""

    def __init__(self, connection: ClientConnection) -> None:
        self.ws = connection

    @classmethod
    async def open(cls, url: str) -> Self:
        host, port = url.removeprefix("ws://").rsplit(":", 1)
        return cls(await connect(url, host=host, port=int(port), compression=None, proxy=None, ping_interval=None))

    @classmethod
    async def join(cls, url: str, name: str, room: str = "house", **more: Any) -> Self:
        raw = await cls.open(url)
        await raw.send(**join(name, room, **more))
        await raw.expect("joined")
        return raw

    async def send(self, **fields: Any) -> None:
        await self.ws.send(json.dumps(fields))

    async def receive(self) -> Any:
        return json.loads(await self.ws.recv())

    async def expect(self, kind: str) -> Any:
        """The next message of a type."""
        while (message := await self.receive())["type"] != kind:
            pass
        return message

    async def ended(self) -> tuple[int | None, str]:
        """Wait for the end; the close code and the code of the error message before it."""
        code = ""
        try:
            while True:
                message = await self.receive()
                code = message["code"] if message["type"] == "error" else code
        except ConnectionClosed as error:
            return (error.rcvd.code if error.rcvd else None), code

    async def close(self) -> None:
        await self.ws.close()


def join(name: str, room: str = "house", **more: Any) -> dict[str, Any]:
    """The fields of a join message."""
    return {"type": "join", "version": 1, "room": room, "deviceId": name, "deviceType": "tablet", "epoch": "e1", **more}


def request(to: str, request_id: str = "1", **more: Any) -> dict[str, Any]:
    """The fields of a request message."""
    return {"type": "request", "id": request_id, "to": to, "kind": "offer", "contentType": "text/plain", "body": "hello", **more}


Stranger = Callable[[ServerConnection], Awaitable[None]]


@attrs.define
class Site:
    """Everything that a test starts; it ends with the test."""

    servers: list[Any] = attrs.field(factory=list)
    devices: list[Device] = attrs.field(factory=list)
    raws: list[Raw] = attrs.field(factory=list)

    async def server(self, port: int = 0, **limits: Any) -> SignalServer:
        server = SignalServer(Limits(**limits))
        self.servers.append(server)
        await server.start(port=port)
        return server

    def device(self, url: str, name: str = "tablet-1", room: str | None = None, resolver: Resolver | None = None, **bounds: Any) -> Device:
        """A carrier that is not started."""
        device = Device(make_carrier(url, name, room, resolver, **bounds), RecordingHost())
        self.devices.append(device)
        return device

    async def started(self, url: str, name: str = "tablet-1", room: str | None = None, **bounds: Any) -> Device:
        device = self.device(url, name, room, **bounds)
        await device.carrier.start(device.host)
        assert await device.host.until("up") == (f"cloud-ws:{name}",)
        return device

    async def pair(self, url: str) -> tuple[Device, Device]:
        """Two devices that see each other."""
        one, two = await self.started(url, "tablet-1"), await self.started(url, "tablet-2")
        await one.host.sees("tablet-2")
        await two.host.sees("tablet-1")
        return one, two

    async def raw(self, url: str, name: str | None = None, room: str = "house", **more: Any) -> Raw:
        raw = await (Raw.open(url) if name is None else Raw.join(url, name, room, **more))
        self.raws.append(raw)
        return raw

    async def stranger(self, handler: Stranger, **options: Any) -> str:
        """A server that is not ours; its URL."""
        server = await serve(handler, "127.0.0.1", 0, compression=None, close_timeout=0.1, **options)
        self.servers.append(server)
        return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def aclose(self) -> None:
        for raw in self.raws:
            raw.ws.transport.abort()
            await raw.ws.wait_closed()
        for device in self.devices:
            await device.carrier.aclose()
        for server in self.servers:
            if isinstance(server, SignalServer):
                await server.aclose()
            else:
                server.close()
                await server.wait_closed()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Starts servers and devices; ends them and checks that nothing is left running."""
    before = asyncio.all_tasks()
    site = Site()
    yield site
    await site.aclose()
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


@pytest.fixture
async def url(site: Site) -> str:
    """The URL of a server with the limits that users get."""
    return (await site.server()).urls()[0]


@pytest.fixture
def wire() -> Any:
    """The helpers above, for test modules (which cannot import each other)."""

    class Wire:
        offer = OFFER
        answer = ANSWER
        join = staticmethod(join)
        request = staticmethod(request)
        make_carrier = staticmethod(make_carrier)
        host = RecordingHost

    return Wire
