"""The devices, the network between them, the clock, and who agrees with whom."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import combinations, count
from random import Random

from hallway.protocol.effects import Effect
from hallway.protocol.frames import Frame
from hallway.testing.link_rig.channels import Channels
from hallway.testing.link_rig.device import Device
from hallway.testing.link_rig.end import End
from hallway.testing.link_rig.network import Network
from hallway.testing.link_rig.schedule import Schedule
from hallway.testing.link_rig.values import Pipe, Setting, Weather

REMEMBERED = 200
"""Events of one link that a story tells, at most."""

Pair = tuple[str, str]
Event = tuple[float, str, str, Frame | None, list[Effect]]


def names(number: int) -> tuple[str, ...]:
    """Device ids in their order, some in upper case: case must not count."""
    return tuple(f"{'T' if each % 2 else 't'}{each:02}" for each in range(number))


class Rig:
    """A mesh in virtual time.

    Args:
        seed: everything that happens follows from it.
        setting: how many devices there are, and what they can do.
        weather: while the network is bad.
        ids: of the devices, if they are to be special.
        schedule: the clock.

    """

    def __init__(
        self,
        seed: int,
        setting: Setting | None = None,
        weather: Weather | None = None,
        *,
        ids: tuple[str, ...] = (),
        schedule: Schedule | None = None,
    ) -> None:
        self.seed, self.random = seed, Random(seed)
        self.setting = setting or Setting()
        self.schedule = schedule or Schedule()
        self.devices: dict[str, Device] = {}
        self.network = Network(self.schedule, self.random, weather or Weather(), self.setting, self.devices)
        self.channels = Channels(self.network)
        self.agreed_since: dict[Pair, float] = {}
        """Since when both ends of a pair are open over one and the same channel that works."""
        self.down_at: dict[Pair, float] = {}
        """When a link of a pair went down last."""
        self.trace: dict[Pair, deque[Event]] = {}
        self.faults: list[Event] = []
        self._epochs, self._addresses, self._numbers = count(1), count(1), count(1)
        for name in ids or names(self.setting.devices):
            self.devices[name.lower()] = self._born(name)
            self.devices[name.lower()].alive = False

    def run(self, until: float) -> None:
        """Let time pass."""
        self.schedule.run(until)

    @property
    def now(self) -> float:
        """The virtual time in seconds."""
        return self.schedule.now

    @property
    def pairs(self) -> Iterator[Pair]:
        """Every two devices, ids in lower case."""
        return combinations(sorted(self.devices), 2)

    @property
    def agreed(self) -> bool:
        """Whether every pair has exactly one channel, at both ends the same."""
        return all(pair in self.agreed_since for pair in self.pairs)

    @property
    def near(self) -> bool:
        """Whether no channel goes over more than the LAN."""
        return not any(pipe is not None and pipe.distant for end in self.ends() for pipe in [end.open_pipe])

    def ends(self) -> Iterator[End]:
        """Those of all devices that live."""
        return (end for device in self.devices.values() if device.alive for end in device.ends.values())

    def others(self, device: Device) -> Iterator[Device]:
        """All devices but this one, alive or not."""
        return (other for other in self.devices.values() if other.name != device.name)

    def new_address(self) -> str:
        """One that nobody has had."""
        number = next(self._addresses)
        return f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"

    def new_number(self) -> int:
        """That of the next message of whatever device."""
        return next(self._numbers)

    def _born(self, name: str) -> Device:
        return Device(self, name, f"e{next(self._epochs)}", self.new_address())

    def start(self, name: str) -> None:
        """A device starts, or starts again with a new epoch; where there is a cloud the LAN may come later."""
        self.crash(name)
        device = self.devices[name.lower()] = self._born(name)
        self._note(f"{name} starts as {device} at {device.address}")
        if self.setting.cloud:
            self.announce(device, 0.5, near=False)
        self.announce(device, self.random.choice((0.5, 0.5, 8.0)) if self.setting.cloud else 0.5)

    def announce(self, device: Device, seconds: float, *, near: bool = True) -> None:
        """Within so many seconds the device and each of the others see each other."""
        for other in self.others(device):
            for one, another in ((device, other), (other, device)):
                self.schedule.tell(one, self.random.uniform(0.0, seconds), partial(one.look, another.name, near=near))

    def crash(self, name: str) -> None:
        """A device is gone from one moment to the next."""
        device = self.devices[name.lower()]
        if device.alive:
            self._note(f"{device} crashes")
            device.crash()

    def leave(self, name: str) -> None:
        """A device closes as it should."""
        device = self.devices[name.lower()]
        if device.alive:
            self._note(f"{device} leaves")
            device.close()
            device.alive = False

    def kill(self, pipe: Pipe) -> None:
        """A channel carries nothing any more."""
        pipe.dead = True
        for end in pipe.ends:
            self.changed(end)

    def changed(self, end: End, *, down: bool = False) -> None:
        """See whether the two ends of a link agree now."""
        one, other = sorted((end.device.name.lower(), end.peer.lower()))
        if down:
            self.down_at[one, other] = self.now
        pipes = [self._pipe(one, other), self._pipe(other, one)]
        if pipes[0] is None or pipes[0] is not pipes[1] or pipes[0].dead:
            self.agreed_since.pop((one, other), None)
        else:
            self.agreed_since.setdefault((one, other), self.now)

    def _pipe(self, one: str, other: str) -> Pipe | None:
        end = self.devices[one].ends.get(other)
        return end.open_pipe if end is not None and self.devices[one].alive else None

    def told(self, end: End, what: str, frame: Frame | None, effects: list[Effect]) -> None:
        """Remember what has happened."""
        pair = (end.device.name.lower(), end.peer.lower())
        trace = self.trace.setdefault(min(pair, pair[::-1]), deque(maxlen=REMEMBERED))
        trace.append((self.now, str(end.device), what, frame, effects))

    def fault(self, what: str) -> None:
        """Remember what goes wrong."""
        self._note(what)

    def _note(self, what: str) -> None:
        self.faults.append((self.now, "", what, None, []))

    def story(self, *ends: End) -> str:
        """The command that repeats it, what happened last to these links and to all devices, and how things are."""
        told = {min(pair, pair[::-1]) for end in ends for pair in [(end.device.name.lower(), end.peer.lower())]}
        events = sorted([event for pair in told for event in self.trace.get(pair, ())] + self.faults, key=lambda event: event[0])
        lines = [
            f"{time:9.3f} {who or '*':8} {what} {frame or ''}{f' -> {effects}' if effects else ''}"
            for time, who, what, frame, effects in events
        ]
        return "\n".join([self.setting.command(self.seed), str(self.network.weather), *lines, *map(str, ends)])

    def disagreeing(self) -> Pair | None:
        """A pair that does not agree."""
        return next((pair for pair in self.pairs if pair not in self.agreed_since), None)

    def ends_of(self, pair: Pair | None) -> list[End]:
        """The two ends of a link, as far as they exist."""
        ends = [self.devices[one].ends.get(other) for one, other in (pair, pair[::-1])] if pair is not None else []
        return [end for end in ends if end is not None]

    def last_down(self) -> Pair | None:
        """The pair that has agreed last, or whose link went down last."""
        return max(self.pairs, key=lambda pair: max(self.agreed_since.get(pair, 0.0), self.down_at.get(pair, 0.0)))
