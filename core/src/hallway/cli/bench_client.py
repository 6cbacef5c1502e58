"""The end that measures: it finds the peer, links, opens a bare channel beside the link, and takes samples in turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs

from hallway.cli.bench_cpu import NONE, Cpu
from hallway.cli.bench_device import BenchPeer
from hallway.cli.bench_disk import disk_figures
from hallway.cli.bench_lanes import ChannelLane, LinkLane
from hallway.cli.bench_measure import Busy, Sample, burst, round_trips, stored
from hallway.cli.bench_messages import LARGE, SMALL
from hallway.cli.bench_server import BEGIN, DISK, END, MAX_SECONDS, OFFER, OPEN_SECONDS, PROTOCOL
from hallway.errors import ChannelClosed, ControlRefused, HallwayError, PeerUnavailable
from hallway.events import ErrorHappened, PeerConnected, PeerDisconnected, PeerFound, PeerPath
from hallway.interfaces import Channel
from hallway.model import Description, same_device
from hallway.runtime.links import reports
from hallway.runtime.publishing.readers import EventReader

Tell = Callable[[str], None]
Made = TypeVar("Made")
ASK_SECONDS = 15.0
"""How long the peer may take over a request that takes no time by itself."""
TELLING_SECONDS = 0.5
"""How long it may take until a link that was lost is told of."""


@attrs.frozen
class Measurement:
    """One thing that was measured, over hallway and over its yardstick, in as many samples as there were rounds.

    ``beside`` names the yardstick: ``channel`` or ``disk``. ``size``: bytes of JSON in a message, 0 for a question.
    """

    name: str
    unit: str
    beside: str
    size: int
    hallway: tuple[Sample, ...]
    bare: tuple[Sample, ...]


@attrs.frozen
class Outcome:
    """Everything that a benchmark has found."""

    device: str
    peer: str
    versions: tuple[str, str]
    link: dict[str, Any]
    connect_ms: float
    rounds: int
    seconds: float
    measurements: tuple[Measurement, ...]


async def linked(device: BenchPeer, peer_id: str, patience: float) -> PeerConnected:
    """Start the device and wait for the link to ``peer_id``.

    Raises:
        PeerUnavailable: there is none within ``patience`` seconds, it is no member, or it does not speak hallway.
        NoSignalingError: this device cannot signal.

    """
    _require_member(device, peer_id)
    events, seen, failure = device.events(), "", None
    try:
        async with asyncio.timeout(patience):
            await device.connect()
            async for event in events:
                match event:
                    case PeerFound(found, plugin) if same_device(found, peer_id):
                        seen = plugin
                    case ErrorHappened(reports.CODE, text) if text.lower().startswith(f"{peer_id.lower()} "):
                        failure = text
                    case PeerConnected(found) if same_device(found, peer_id) and device.link_to(peer_id) is not None:
                        return _speaking(device, event)
    except TimeoutError as error:
        raise _not_linked(device, peer_id, patience, seen, failure) from error
    raise PeerUnavailable("this device was closed while it looked for its peer")


def _require_member(device: BenchPeer, peer_id: str) -> None:
    members = device.members
    if members is not None and not any(same_device(each, peer_id) for each in members):
        others = ", ".join(each for each in members if each != device.device_id)
        hint = f"name one of {others}" if others else "let another device join first: hallway invite"
        raise PeerUnavailable(f"{peer_id} is no device of {device.property_id}, as far as this device has heard", hint=hint)


def _speaking(device: BenchPeer, event: PeerConnected) -> PeerConnected:
    if not any(same_device(each, event.peer_id) for each in device.bus.linked):
        raise PeerUnavailable(f"{event.peer_id} does not speak hallway: it answers no benchmark", hint="measure between two hallways")
    return event


def _not_linked(device: BenchPeer, peer_id: str, patience: float, seen: str, failure: str | None) -> PeerUnavailable:
    if seen:
        text = f"{peer_id} was found by {seen}, and not linked in {patience:g} s" + (f": {failure}" if failure else "")
        hint = f"see that {peer_id} runs `hallway bench answer`, and that no firewall stands between the two"
        return PeerUnavailable(text, hint=hint)
    searched = ", ".join(device.config.discovery.chain) or "no plugin"
    same = "a configuration of the same [device].property" if device.members is None else "its enrolment"
    hint = f"run `hallway bench answer` on {peer_id} with {same}, in one network with this device"
    hint += (
        "; `hallway plan` says what a configuration uses"
        if device.members is None
        else ("; if somebody has joined or was revoked lately, let both run for a moment (`hallway up`), so that both have heard of it")
    )
    return PeerUnavailable(f"{peer_id} was not found by {searched} in {patience:g} s", hint=hint)


class Client:
    """Measures over the link that ``connected`` tells of. Used by `measure`."""

    def __init__(self, device: BenchPeer, connected: PeerConnected, folder: Path | None, seconds: float, tell: Tell) -> None:
        self._device, self._connected, self._folder = device, connected, folder
        self._seconds, self._tell = seconds, tell
        self.peer_id = connected.peer_id

    async def request(self, kind: str, body: Any, seconds: float = ASK_SECONDS) -> Any:
        """Ask the peer over the control bus."""
        return await self._device.bus.request(self.peer_id, kind, body, asyncio.get_running_loop().time() + seconds)

    async def begin(self) -> dict[str, Any]:
        """Ask the peer for a benchmark; returns what it says of itself.

        Raises:
            ControlRefused: it does not answer benchmarks, or not now.

        """
        try:
            return dict(await self.request(BEGIN, {"protocol": PROTOCOL}))
        except ControlRefused as refused:
            if refused.reason != "unknown-kind":
                raise
            hint = f"run `hallway bench answer` on {self.peer_id}, and there nothing else of that name"
            raise ControlRefused(f"{self.peer_id} is linked, but does not answer benchmarks", reason=refused.reason, hint=hint) from refused

    @asynccontextmanager
    async def bare_channel(self) -> AsyncIterator[Channel]:
        """A channel by itself to the same peer, by the same plugin; its offer and answer pass over the link."""
        connector = self._device.connector(self._connected.channel)
        policy = self._device.policy(self._connected.signaling)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(connector.aclose)
            await connector.prepare()
            dialing = await connector.dial(policy)
            stack.push_async_callback(dialing.aclose)
            offer = {"kind": dialing.offer.kind, "sdp": dialing.offer.sdp, "policy": policy.value}
            answer = await self.request(OFFER, offer)
            channel = await dialing.accept(Description(answer["kind"], "answer", answer["sdp"]))
            stack.push_async_callback(channel.aclose)
            await channel.opened(asyncio.get_running_loop().time() + OPEN_SECONDS)
            yield channel

    async def disks(self) -> Sample:
        """Both disks alone at the same time: what the slower takes. At least one of the devices must have one."""
        asked = self.request(DISK, {"seconds": self._seconds}, MAX_SECONDS + ASK_SECONDS)
        here, there = await asyncio.gather(disk_figures(self._folder, self._seconds), asked)
        rates = [found[0] for found in (here, there) if found is not None]
        return Sample((min(rates),), Busy(*(Cpu(*found[1:]) if found is not None else NONE for found in (here, there))))

    async def rounds(self, rounds: int, *, on_disk: bool) -> tuple[Measurement, ...]:
        """Take every sample, hallway and its yardstick in turns."""
        async with self.bare_channel() as channel:
            bare, link = ChannelLane(channel), LinkLane(self._device, self.peer_id)
            large = min(LARGE, channel.max_message)
            seconds = self._seconds
            plan: list[_Plan] = [
                _Plan("round-trip", "ms", "channel", 0, lambda: round_trips(link, seconds), lambda: round_trips(bare, seconds)),
                _Plan("small", "messages/s", "channel", SMALL, lambda: burst(link, SMALL, seconds), lambda: burst(bare, SMALL, seconds)),
                _Plan("large", "messages/s", "channel", large, lambda: burst(link, large, seconds), lambda: burst(bare, large, seconds)),
            ]
            alone = self.disks if on_disk else lambda: burst(bare, SMALL, seconds)
            plan.append(_Plan("durable", "messages/s", "disk" if on_disk else "channel", SMALL, lambda: stored(link, seconds), alone))
            for number in range(rounds):
                for each in plan:
                    self._tell(f"round {number + 1} of {rounds}: {each.name}")
                    await each.sample(bare_first=number % 2 == 0)
        return tuple(each.measurement() for each in plan)


@attrs.define
class _Plan:
    """A measurement while it is made."""

    name: str
    unit: str
    beside: str
    size: int
    over_hallway: Callable[[], Awaitable[Sample]]
    over_bare: Callable[[], Awaitable[Sample]]
    hallway: list[Sample] = attrs.field(factory=list)
    bare: list[Sample] = attrs.field(factory=list)

    async def sample(self, *, bare_first: bool) -> None:
        """One of each; who comes first changes, so that neither always finds the other's leftovers."""
        turns = [(self.bare, self.over_bare), (self.hallway, self.over_hallway)]
        for samples, take in turns if bare_first else reversed(turns):
            samples.append(await take())

    def measurement(self) -> Measurement:
        return Measurement(self.name, self.unit, self.beside, self.size, tuple(self.hallway), tuple(self.bare))


async def measure(
    device: BenchPeer, peer_id: str, folder: Path | None, *, patience: float, rounds: int, seconds: float, version: str, tell: Tell
) -> Outcome:
    """The whole benchmark between ``device``, which is started here, and ``peer_id``.

    Raises:
        HallwayError: it could not be made, or was interrupted.

    """
    tell(f"looking for {peer_id}")
    connected = await linked(device, peer_id, patience)
    changes = device.events(lambda event: isinstance(event, PeerDisconnected | PeerPath))
    client = Client(device, connected, folder, seconds, tell)
    told = await client.begin()
    tell(f"linked to {client.peer_id} over {connected.channel}, signaled by {connected.signaling}, in {connected.ms:.0f} ms")
    link = device.link_to(client.peer_id) or {}
    rounds_of_all = client.rounds(rounds, on_disk=folder is not None or bool(told["stores"]))
    measurements = await _unless_lost(changes, client.peer_id, rounds_of_all)
    await client.request(END, None)
    versions = (version, str(told["hallway"]))
    facts = {key: link.get(key) for key in ("signaling", "channel", "path")}
    return Outcome(device.device_id, client.peer_id, versions, facts, connected.ms, rounds, seconds, measurements)


async def _unless_lost(changes: EventReader, peer_id: str, work: Coroutine[Any, Any, Made]) -> Made:
    """The result of ``work``, which is given up when the link is lost or moves.

    Raises:
        ChannelClosed: it was lost, or has moved.

    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_interrupted(changes, peer_id))
    try:
        await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
        if working.done() and isinstance(working.exception(), HallwayError):
            # What happened to the link says more than what failed for it, and is told a moment later.
            await asyncio.wait([watching], timeout=TELLING_SECONDS)
        if watching.done():
            raise await watching
        return await working
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.wait([working, watching])


async def _interrupted(changes: EventReader, peer_id: str) -> ChannelClosed:
    """What has happened to the link, once something has."""
    again = "the numbers would mean nothing: run the benchmark again"
    async for event in changes:
        match event:
            case PeerDisconnected(lost, reason) if same_device(lost, peer_id):
                return ChannelClosed(f"the link to {peer_id} was lost in the middle ({reason})", hint=again)
            case PeerPath(moved) if same_device(moved, peer_id):
                return ChannelClosed(f"the link to {peer_id} moved to another path in the middle", hint=again)
    return ChannelClosed("this device was closed in the middle", hint=again)
