"""Devices that are watched while the network or they themselves fail: every line that they print keeps the time at which it came.

`SOAK=1` runs the faults at full length and often; otherwise they are as short as `make test` needs them.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from signal import SIGCONT, SIGSTOP
from types import TracebackType
from typing import Any, Self, TypeVar

import attrs

from netlab import Fault, Host, Lab, Process, ProcessError
from site_devices import PROPERTY, up

FULL = os.environ.get("SOAK") == "1"
PATIENCE = 40.0
"""Seconds for what is awaited; only a failure takes them."""
LINK_EVENTS = frozenset({"peer-connected", "peer-disconnected", "peer-path"})
SIDE_BY_SIDE = 4
PACE = 0.05
"""Seconds between two tries to get a message through, and between two numbered messages."""

Json = dict[str, Any]
Result = TypeVar("Result")
now = time.monotonic
_pairs = itertools.count()


def either(short: float, full: float) -> float:
    """``short`` in `make test`, ``full`` in `make soak`: seconds or rounds."""
    return full if FULL else short


@attrs.frozen
class Seen:
    """One line of a device and when it came, in seconds of `now`."""

    at: float
    line: Json

    def fits(self, fields: Json) -> bool:
        """Whether the line has all these fields with these values."""
        return all(name in self.line and self.line[name] == value for name, value in fields.items())


class Gone(Exception):
    """A device ended before it answered."""


class Device:
    """`hallway up --json` on a host, through any number of lives; ``linked`` are the peers to which its link is open, by its own word."""

    def __init__(self, host: Host, name: str, *settings: str, property_id: str = PROPERTY) -> None:
        self.host, self.name = host, name
        self.seen: list[Seen] = []
        self.linked: set[str] = set()
        self.process: Process | None = None
        self.life = 0
        self._start = lambda: up(host, name, *settings, property_id=property_id)
        self._reading: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._asked: dict[str, asyncio.Future[Json]] = {}

    async def start(self) -> float:
        """Start the process, a new one each time, and return when its `ready` came."""
        begun = now()
        self.life += 1
        self.linked.clear()
        self.process = await self._start()
        self._reading = asyncio.create_task(self._read(self.process))
        return (await self.until(event="ready", since=begun)).at

    async def _read(self, process: Process) -> None:
        # The end of the process is the end of its lines.
        with suppress(ProcessError):
            while True:
                line = await process.read_json_line(math.inf)
                self.take(Seen(now(), line))
                self._news.set()
        for asked in self._asked.values():
            asked.set_exception(Gone(self.name))
        self._asked.clear()

    def take(self, seen: Seen) -> None:
        """Keep a line, follow the link that it tells of, and hand a result to whom it belongs."""
        match seen.line["event"]:
            case "result":
                self._asked.pop(seen.line["tag"]).set_result(seen.line)
                return
            case "peer-connected":
                self.linked.add(seen.line["peerId"])
            case "peer-disconnected":
                self.linked.discard(seen.line["peerId"])
        self.seen.append(seen)

    async def kill(self) -> None:
        """End the process as a power cut does."""
        await self._end(self.running.kill())

    async def terminate(self) -> None:
        """Ask the process to end and see that it ends well."""
        assert await self._end(self.running.terminate()) == 0, self.story()

    async def _end(self, ending: Awaitable[int]) -> int:
        status = await ending
        if self._reading:
            await self._reading
        self.process = None
        self.linked.clear()
        return status

    def freeze(self) -> None:
        """Stop the process where it is, as a suspended tablet."""
        self.running.send_signal(SIGSTOP)

    def thaw(self) -> float:
        """Let it go on, and return when."""
        self.running.send_signal(SIGCONT)
        return now()

    @property
    def running(self) -> Process:
        """The process of this life."""
        assert self.process, f"{self.name} does not run"
        return self.process

    def find(self, since: float = 0.0, **fields: object) -> Seen | None:
        """The first line from ``since`` on that has these fields."""
        return next((seen for seen in self.seen if seen.at >= since and seen.fits(fields)), None)

    async def until(self, since: float = 0.0, patience: float = PATIENCE, **fields: object) -> Seen:
        """The first line from ``since`` on that has these fields, come or yet to come."""
        await self.wait(lambda: self.find(since, **fields) is not None, patience, f"{fields}")
        found = self.find(since, **fields)
        assert found
        return found

    async def wait(self, holds: Callable[[], bool], patience: float, what: str) -> None:
        """Wait until something about this device holds."""
        try:
            async with asyncio.timeout(patience):
                while not holds():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{self.name}: {what} did not come within {patience:g} s\n{self.story()}") from None

    async def call(self, **command: Any) -> Json:
        """Give a command and return its result.

        Raises:
            Gone: the process ended before it answered.

        """
        tag = secrets.token_hex(4)
        answer = self._asked[tag] = asyncio.get_running_loop().create_future()
        try:
            await self.running.send_json({**command, "tag": tag})
        except ProcessError:
            self._asked.pop(tag, None)
            raise
        return await answer

    def link_events(self, since: float) -> list[Seen]:
        """What happened to its links from ``since`` on."""
        return [seen for seen in self.seen if seen.at >= since and seen.line["event"] in LINK_EVENTS]

    def story(self) -> str:
        """What it told lately, messages left out: for failures."""
        kept = [seen for seen in self.seen if seen.line["event"] != "message"]
        lines = [f"{seen.at:.2f} {seen.line}" for seen in kept[-30:]]
        return "\n".join([f"--- {self.name}", *lines, self.process.transcript() if self.process else "(it has ended)"])


class Site:
    """Devices of one lab, all ended when the ``async with`` block is left; each pair of `pair` has a LAN of its own."""

    def __init__(self, lab: Lab, starting: asyncio.Semaphore | None = None) -> None:
        self.lab = lab
        self.devices: list[Device] = []
        self._starting = starting or asyncio.Semaphore(2)

    def device(self, name: str, *settings: str, lan: str = "lan1") -> Device:
        """A device on a host of its own, not yet started."""
        self.devices.append(Device(self.lab.lan(lan).host(f"{name}-of-{lan}"), name, *settings))
        return self.devices[-1]

    def part(self) -> Site:
        """A site in the same lab, whose devices end with it."""
        return Site(self.lab, self._starting)

    def strangers(self) -> tuple[Device, Device]:
        """Two devices alone on a new LAN, not yet started."""
        lan = f"pair-{next(_pairs)}"
        return self.device("tablet-1", lan=lan), self.device("tablet-2", lan=lan)

    async def pair(self) -> tuple[Device, Device]:
        """Two devices alone on a new LAN, linked."""
        one, two = self.strangers()
        # Others may be in the middle of what they measure.
        async with self._starting:
            await start(one, two)
            await whole([one, two])
        return one, two

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for device in self.devices:
            if device.process:
                device.thaw()
                await (device.kill() if kind else device.terminate())


async def start(*devices: Device) -> float:
    """Start devices together and return when the last `ready` came."""
    return max(await asyncio.gather(*(device.start() for device in devices)))


async def whole(devices: Sequence[Device], since: float = 0.0, patience: float = PATIENCE) -> float:
    """Wait until each device is linked to all others, and return when that came about, ``since`` if it was so before."""
    names = {device.name for device in devices}
    for device in devices:
        await device.wait(lambda device=device: device.linked >= names - {device.name}, patience, f"a link to all of {sorted(names)}")
    return max(since, *(event.at for device in devices for event in device.link_events(since)))


async def through(sender: Device, receiver: Device, since: float) -> float:
    """Send until a message that was sent after ``since`` arrives, and return when that was; a try that is refused costs nothing."""
    token = secrets.token_hex(4)
    until = now() + PATIENCE
    while not (found := receiver.find(since, event="message", peerId=sender.name, message=token)):
        assert now() < until, f"nothing got through\n{sender.story()}\n{receiver.story()}"
        await sender.call(command="send-to-peer", peerId=receiver.name, message=token)
        await asyncio.sleep(PACE)
    return found.at


async def relinked(one: Device, two: Device, since: float) -> float:
    """Seconds from ``since`` until messages pass both ways over a link that both ends call open."""
    passed = await together([through(one, two, since), through(two, one, since)])
    await whole([one, two])
    return max(passed) - since


def quiet(devices: Iterable[Device], since: float) -> None:
    """Nothing happened to any link of these devices from ``since`` on."""
    for device in devices:
        assert not device.link_events(since), device.story()


async def number(sender: Device, receiver: Device, seconds: float) -> None:
    """Send numbered messages for so long; all must be taken, and arrive in order."""
    token, until, count = secrets.token_hex(4), now() + seconds, 0
    while now() < until:
        result = await sender.call(command="send-to-peer", peerId=receiver.name, message=[token, count])
        assert result["ok"], (result, sender.story())
        count += 1
        await asyncio.sleep(PACE)
    await receiver.until(event="message", message=[token, count - 1])
    came = [seen.line["message"][1] for seen in receiver.seen if seen.line["event"] == "message" and seen.line["message"][0] == token]
    assert came == list(range(count)), f"{receiver.name} got {came} of {count} from {sender.name}"


async def down_and_up(one: Device, two: Device, seconds: float) -> float:
    """Part two devices for so long and return when that ended."""
    with one.host.partition_from(two.host):
        await asyncio.sleep(seconds)
    return now()


async def asleep(device: Device, seconds: float) -> float:
    """Stop a device's process for so long and return when it went on."""
    device.freeze()
    try:
        await asyncio.sleep(seconds)
    finally:
        over = device.thaw()
    return over


def move(host: Host, host_part: int) -> Fault:
    """Give a host another address of its own LAN."""
    return host.change_address(str(host.lan.network[host_part]))


async def measured(site: Site, short: int, full: int, scenario: Callable[[Site], Awaitable[float]]) -> list[float]:
    """What ``scenario`` took in each of its rounds, some of which run side by side; its devices end with each of them."""

    async def once() -> float:
        async with site.part() as part:
            return await scenario(part)

    rounds, figures = int(either(short, full)), []
    while len(figures) < rounds:
        figures += await together(once() for _ in range(min(SIDE_BY_SIDE, rounds - len(figures))))
    return figures


async def together(scenarios: Iterable[Awaitable[Result]]) -> list[Result]:
    """Run all side by side to their ends, and return what each gave, or raise what failed."""
    outcomes = await asyncio.gather(*scenarios, return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup("several scenarios failed", failures)
    return outcomes  # type: ignore[return-value]


def rank(figures: Iterable[float], share: float) -> float:
    """The percentile by nearest rank; ``share`` is over 0, and 1 at most."""
    ordered = sorted(figures)
    return ordered[math.ceil(share * len(ordered)) - 1]


def p95(figures: Iterable[float], what: str) -> float:
    """The 95th percentile (nearest rank), which of fewer than 20 figures is the largest; ``what`` they are is printed with them."""
    ordered = sorted(figures)
    found = rank(ordered, 0.95)
    print(f"{what}: {len(ordered)} rounds, s: p50 {rank(ordered, 0.5):.2f}, p95 {found:.2f}, max {ordered[-1]:.2f}")
    return found
