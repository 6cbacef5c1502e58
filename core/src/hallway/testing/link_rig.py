"""Two links joined by a network that does not exist: virtual time, seeded faults, every promise of `protocol.link` checked at every step.

Nothing here waits: a minute of a link's life takes a few milliseconds, and the same seed gives the same life.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import attrs

from hallway.model import PeerRecord
from hallway.protocol.attempt import Phase, Role
from hallway.protocol.effects import Admit, Answer, Dial, Down, Drop, Effect, Greet, Moved, Refuse, SendFrame, Up
from hallway.protocol.frames import Bye, Frame, Hello, decode, encode
from hallway.protocol.link import Link

REQUEST_PATIENCE = 1.5
"""Seconds that an offer waits for its answer, as on the LAN."""
RETRY = 0.25
"""Seconds after which a frame that met a partition is sent again."""
NAMES = ("alpha", "Beta")


class PromiseBroken(AssertionError):
    """A link did what it must never do; the message has the seed and what happened before."""


@attrs.frozen
class Weather:
    """How bad the network is while it is bad. Delays are in seconds, the rest are probabilities."""

    delay: float = 0.02
    loss: float = 0.0
    """Of an offer, of an answer, of a cancellation."""
    twice: float = 0.0
    """An offer arrives twice."""
    stillborn: float = 0.0
    """A channel never opens."""
    silent: float = 0.0
    """The other end is not told that a channel was closed."""

    @classmethod
    def drawn(cls, random: Random) -> Weather:
        """Any weather, with calm ones among them."""
        return cls(
            delay=random.choice((0.002, 0.02, 0.2, 1.0)),
            loss=random.choice((0.0, 0.1, 0.4)),
            twice=random.choice((0.0, 0.2)),
            stillborn=random.choice((0.0, 0.1, 0.4)),
            silent=random.choice((0.0, 0.3, 1.0)),
        )


@attrs.define(eq=False)
class Pipe:
    """A channel: who has which end, and what is under way to whom."""

    ends: dict[Device, int] = attrs.field(factory=dict)
    opened: set[Device] = attrs.field(factory=set)
    closed: set[Device] = attrs.field(factory=set)
    under_way: dict[str, deque[bytes | None]] = attrs.field(factory=lambda: {name: deque() for name in NAMES})
    arrival: dict[str, float] = attrs.field(factory=lambda: dict.fromkeys(NAMES, 0.0))
    dead: bool = False
    """It carries nothing any more and tells nobody."""


@attrs.define(eq=False)
class Offer:
    """One request: who made it, and which attempts of the other end it has led to."""

    sender: Device
    attempt: int
    handled: list[tuple[Device, int]] = attrs.field(factory=list)
    withdrawn: bool = False


@attrs.define
class Run:
    """What a device holds for one attempt."""

    offer: Offer
    role: Role
    pipe: Pipe | None = None


class Device:
    """One life of a device, from its start to its crash or close: a link and what the driver would hold for it."""

    def __init__(self, rig: Rig, name: str, epoch: str) -> None:
        self.rig, self.name, self.epoch = rig, name, epoch
        self.other_name = next(each for each in NAMES if each != name)
        self.link = Link(name, self.other_name.upper(), rig.random.random)
        self.runs: dict[int, Run] = {}
        self.open: int | None = None
        self.alive = True
        self.stalled_until = self.paused_until = 0.0
        self._alarm = 0

    @property
    def open_pipe(self) -> Pipe | None:
        """The pipe of the open channel."""
        return self.runs[self.open].pipe if self.open is not None else None

    def record(self) -> PeerRecord:
        """What discovery shows of this device."""
        return PeerRecord(self.name, "p", endpoints=(f"memory://{self.name}",), epoch=self.epoch)

    def look(self) -> None:
        """Discovery reports what there is to see now; like the peer table, it repeats nothing."""
        other = self.rig.devices[self.other_name]
        if other.alive and self.link.record != other.record():
            self.do("seen", self.link.seen(other.record(), self.rig.now))

    def lose_sight(self) -> None:
        """Discovery reports that the other has gone."""
        if self.link.record is not None:
            self.do("gone", self.link.gone())

    def offered(self, offer: Offer) -> None:
        """An offer arrives."""
        attempt, effects = self.link.offered(self.rig.now, speaks_hallway=True)
        self.runs[attempt] = Run(offer, Role.ANSWERER)
        offer.handled.append((self, attempt))
        self.do(f"offered {attempt}", effects)
        if offer.withdrawn:
            self.rig.withdraw(offer)

    def response(self, attempt: int, pipe: Pipe | None) -> None:
        """The answer to our offer arrives, or a refusal."""
        run = self.runs.get(attempt)
        if run is None or run.pipe is not None:
            return
        if pipe is None:
            self.failed(attempt, "refused")
            return
        run.pipe, pipe.ends[self] = pipe, attempt
        self.do(f"answered {attempt}", self.link.answered(attempt, self.rig.now))
        self.rig.connect(pipe)

    def gave_up(self, attempt: int) -> None:
        """Our offer has waited long enough."""
        if attempt in self.runs and self.runs[attempt].pipe is None:
            self.rig.withdraw(self.runs[attempt].offer)
            self.failed(attempt, "no answer")

    def withdrawn(self, attempt: int) -> None:
        """The requester has gone before we answered."""
        if attempt in self.runs and self.runs[attempt].pipe is None:
            self.failed(attempt, "withdrawn")

    def failed(self, attempt: int, reason: str) -> None:
        """An attempt has come to an end."""
        self.do(f"failed {attempt}: {reason}", self.link.failed(attempt, reason, self.rig.now))

    def opened(self, pipe: Pipe) -> None:
        """A channel opens at this end."""
        if pipe.closed or pipe.dead:
            return
        pipe.opened.add(self)
        self.do(f"opened {pipe.ends[self]}", self.link.opened(pipe.ends[self], self.rig.now, speaks_hallway=True))

    def received(self, pipe: Pipe, data: bytes | None) -> None:
        """A frame arrives, or (None) the news that the other end has closed."""
        attempt = pipe.ends[self]
        if attempt not in self.runs:
            return
        if data is None:
            self.failed(attempt, "the channel has ended")
        else:
            self.do(f"received {attempt}", self.link.received(attempt, decode(data), self.rig.now))

    def pause(self, seconds: float) -> None:
        """The application does not read for a while."""
        self.paused_until = self.rig.now + seconds
        self.do("paused", self.link.pause(self.rig.now, paused=True))
        self.rig.tell(self, seconds, lambda: self.do("resumed", self.link.pause(self.rig.now, paused=False)))

    def close(self) -> None:
        """The device closes as it should."""
        self.do("close", self.link.close())
        self._promise(not self.runs and self.open is None, "a closed link holds nothing")
        self._promise(self.link.deadline is None, "a closed link waits for nothing")

    def do(self, what: str, effects: list[Effect]) -> None:
        """Carry out the effects of one event, then look whether every promise holds."""
        self.rig.trace.append((self.rig.now, f"{self.name}/{self.epoch}", what, effects))
        for effect in effects:
            self._apply(effect)
        self._arm()
        self._check()

    def _apply(self, effect: Effect) -> None:
        match effect:
            case Dial(attempt):
                self._promise(attempt not in self.runs, "attempt ids are new")
                self.runs[attempt] = Run(Offer(self, attempt), Role.OFFERER)
                self.rig.send_offer(self.runs[attempt].offer)
            case Answer(attempt):
                self.rig.tell(self, self.rig.delay(), lambda: self._answer(attempt))
            case Refuse(attempt):
                self.rig.respond(self.runs.pop(attempt).offer, None)
            case Drop(attempt):
                self._drop(self.runs.pop(attempt))
            case Greet(attempt):
                self._send(attempt, Hello(self.name, self.other_name.lower(), self.epoch))
            case Admit(attempt, hello):
                self.do(f"admitted {attempt}", self.link.admitted(attempt, hello.epoch, self.rig.now))
            case SendFrame(attempt, frame):
                self._promise(attempt == self.open, "frames go over the open channel")
                self._send(attempt, frame)
            case Up(attempt, seconds):
                self._promise(self.open is None, "a Down comes between two Ups")
                self._promise(seconds >= 0, "a link takes time to open")
                self.open = attempt
            case Moved(attempt):
                self._promise(self.open not in (None, attempt), "only an open link moves, to another channel")
                self.open = attempt
            case Down():
                self._promise(self.open is not None, "only an open link goes down")
                self.open = None

    def _answer(self, attempt: int) -> None:
        run = self.runs.get(attempt)
        if run is None:
            return
        run.pipe = Pipe({self: attempt})
        self.do(f"answered {attempt}", self.link.answered(attempt, self.rig.now))
        self.rig.respond(run.offer, run.pipe)

    def _drop(self, run: Run) -> None:
        if run.pipe is not None:
            self.rig.close(run.pipe, self)
        elif run.role is Role.OFFERER:
            self.rig.withdraw(run.offer)
        else:
            self.rig.respond(run.offer, None)

    def _send(self, attempt: int, frame: Frame) -> None:
        pipe = self.runs[attempt].pipe
        assert pipe is not None
        self.rig.send(pipe, self.other_name, encode(frame))

    def _arm(self) -> None:
        self._alarm += 1
        alarm, deadline = self._alarm, self.link.deadline
        if deadline is not None:
            self.rig.tell(self, max(0.0, deadline - self.rig.now), lambda: self._ring(alarm))

    def _ring(self, alarm: int) -> None:
        if alarm == self._alarm:
            self.do("timer", self.link.timer(self.rig.now))

    def _check(self) -> None:
        link = self.link
        attempts = [each for each in (link.current, link.dial, link.incoming) if each is not None]
        self._promise({each.id for each in attempts} == set(self.runs), "every attempt is known to the driver, and no other")
        self._promise((link.current.id if link.current else None) == self.open, "the current attempt is the open one")
        for each in attempts:
            bounded = each.deadline is not None or each.phase in (Phase.OPEN, Phase.HELD) or each is link.dial
            self._promise(bounded, f"attempt {each.id} has a deadline while it is {each.phase.value}")
        held = [each for each in attempts if each.phase is Phase.HELD]
        self._promise(not held or link.dial is not None, "an offer is held only while ours is under way")

    def _promise(self, holds: bool, what: str) -> None:
        if not holds:
            raise PromiseBroken(f"{self.name}: broken promise: {what}\n{self.rig.story()}")

    def __str__(self) -> str:
        return f"{self.name}/{self.epoch} open={self.open} {self.link}"


class Rig:
    """The two devices, the network between them, and the clock.

    Args:
        seed: everything that happens follows from it.
        weather: while `bad` is set.
        sight: who ever sees the other by discovery.
        reach: whose offers can reach the other.

    """

    def __init__(self, seed: int, weather: Weather, *, sight: tuple[str, ...] = NAMES, reach: tuple[str, ...] = NAMES) -> None:
        self.seed, self.random, self.weather = seed, Random(seed), weather
        self.sight, self.reach = sight, reach
        self.now = 0.0
        self.bad = True
        self.parted_until = 0.0
        self.agreed_since: float | None = None
        self.pipes: list[Pipe] = []
        self.trace: deque[tuple[float, str, str, list[Effect]]] = deque(maxlen=400)
        self._epochs, self._order = count(1), count()
        self._queue: list[tuple[float, int, Device | None, Callable[[], Any]]] = []
        self.devices: dict[str, Device] = {name: Device(self, name, f"e{next(self._epochs)}") for name in NAMES}

    # Time

    def later(self, seconds: float, call: Callable[[], Any]) -> None:
        """Call ``call`` in ``seconds``."""
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), None, call))

    def tell(self, device: Device, seconds: float, call: Callable[[], Any]) -> None:
        """Call ``call`` in ``seconds``, or once ``device`` is not stalled any more, unless it is dead by then."""
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), device, call))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, device, call = heapq.heappop(self._queue)
            if device is None or (device.alive and device.stalled_until <= self.now):
                call()
                self._note_agreement()
            elif device.alive:
                self.tell(device, device.stalled_until - self.now, call)
        self.now = until

    @property
    def agreed(self) -> bool:
        """Whether both links are open, over one and the same channel that works."""
        one, other = (device.open_pipe for device in self.devices.values())
        return one is not None and one is other and not one.dead

    def _note_agreement(self) -> None:
        if not self.agreed:
            self.agreed_since = None
        elif self.agreed_since is None:
            self.agreed_since = self.now

    # Signaling

    def delay(self) -> float:
        """Seconds that something takes now."""
        return self.random.uniform(0.0005, self.weather.delay if self.bad else 0.01)

    def happens(self, probability: float) -> bool:
        """Whether a misfortune happens now."""
        return self.bad and self.random.random() < probability

    def send_offer(self, offer: Offer) -> None:
        """Carry an offer to whoever bears the other name when it arrives."""
        sender = offer.sender
        for _ in range(2 if self.happens(self.weather.twice) else 1):
            if sender.name in self.reach and not self._lost():
                self.later(self.delay(), lambda: self._deliver_offer(offer))
        self.tell(sender, REQUEST_PATIENCE, lambda: sender.gave_up(offer.attempt))

    def _deliver_offer(self, offer: Offer) -> None:
        target = self.devices[offer.sender.other_name]
        if target.alive:
            self.tell(target, 0.0, lambda: target.offered(offer))

    def respond(self, offer: Offer, pipe: Pipe | None) -> None:
        """Carry the answer (or a refusal) back."""
        if not self._lost():
            self.tell(offer.sender, self.delay(), lambda: offer.sender.response(offer.attempt, pipe))

    def withdraw(self, offer: Offer) -> None:
        """Tell those who still work on an offer that nobody waits for them."""
        offer.withdrawn = True
        for device, attempt in offer.handled:
            if not self._lost():
                self.tell(device, self.delay(), lambda device=device, attempt=attempt: device.withdrawn(attempt))  # type: ignore[misc]

    def _lost(self) -> bool:
        return self.parted_until > self.now or self.happens(self.weather.loss)

    # Channels

    def connect(self, pipe: Pipe) -> None:
        """Both descriptions are known: the channel opens at each end in its own time, or not at all."""
        self.pipes.append(pipe)
        if self.happens(self.weather.stillborn) or self.parted_until > self.now:
            pipe.dead = True
        for device in pipe.ends:
            self.tell(device, self.delay() + self.delay(), lambda device=device: self._open(pipe, device))  # type: ignore[misc]

    def _open(self, pipe: Pipe, device: Device) -> None:
        device.opened(pipe)
        self._pump(pipe, device.name)

    def send(self, pipe: Pipe, to: str, data: bytes | None) -> None:
        """Carry a frame, or the news of a close, in order."""
        pipe.under_way[to].append(data)
        pipe.arrival[to] = max(pipe.arrival[to], self.now + self.delay())
        self.later(pipe.arrival[to] - self.now, lambda: self._pump(pipe, to))

    def _pump(self, pipe: Pipe, to: str) -> None:
        target = next((device for device in pipe.ends if device.name == to), None)
        if target is None or not target.alive or target in pipe.closed or pipe.dead:
            return
        waiting = pipe.under_way[to]
        if max(target.stalled_until, target.paused_until, self.parted_until) > self.now:
            self.later(RETRY, lambda: self._pump(pipe, to))
            return
        while waiting and (target in pipe.opened or waiting[0] is None) and target not in pipe.closed:
            target.received(pipe, waiting.popleft())

    def close(self, pipe: Pipe, device: Device) -> None:
        """One end closes; the other is told after all that was sent, unless it is not."""
        pipe.closed.add(device)
        if not self.happens(self.weather.silent):
            self.send(pipe, device.other_name, None)

    # Faults

    def start(self, name: str) -> None:
        """A device starts, or starts again with a new epoch."""
        if self.devices[name].alive:
            self.crash(name)
        device = self.devices[name] = Device(self, name, f"e{next(self._epochs)}")
        for each in (device, self.devices[device.other_name]):
            if each.name in self.sight:
                self.tell(each, self.random.uniform(0.0, 0.5), each.look)

    def crash(self, name: str) -> None:
        """A device is gone from one moment to the next, and its channels tell nobody."""
        device = self.devices[name]
        device.alive = False
        for pipe in self.pipes:
            pipe.dead |= device in pipe.ends

    def leave(self, name: str) -> None:
        """A device closes as it should."""
        device = self.devices[name]
        if device.alive:
            device.close()
            device.alive = False

    def break_channel(self) -> None:
        """The newest channel carries nothing any more."""
        if self.pipes:
            self.pipes[-1].dead = True

    def story(self) -> str:
        """The seed, what happened last, and how things are."""
        lines = [f"{time:9.3f} {who:9} {what} -> {effects}" for time, who, what, effects in self.trace]
        return "\n".join([f"seed {self.seed} sight={self.sight} reach={self.reach} {self.weather}", *lines, *map(str, self.devices.values())])


FAULTS: dict[str, Callable[[Rig, str, float], Any]] = {
    "crash": lambda rig, name, seconds: (rig.crash(name), rig.later(seconds / 4, lambda: rig.start(name))),
    "leave": lambda rig, name, seconds: (rig.leave(name), rig.later(seconds / 4, lambda: rig.start(name))),
    "part": lambda rig, name, seconds: setattr(rig, "parted_until", rig.now + seconds),
    "stall": lambda rig, name, seconds: setattr(rig.devices[name], "stalled_until", rig.now + seconds),
    "pause": lambda rig, name, seconds: rig.tell(rig.devices[name], 0.0, lambda: rig.devices[name].pause(seconds)),
    "break": lambda rig, name, seconds: rig.break_channel(),
    "lose-sight": lambda rig, name, seconds: rig.tell(rig.devices[name], 0.0, rig.devices[name].lose_sight),
    "look": lambda rig, name, seconds: rig.tell(rig.devices[name], 0.0, rig.devices[name].look),
}
"""What can go wrong, with whom, for how long."""


@attrs.frozen
class Outcome:
    """How one life went: seconds from the end of the faults until both links agreed for good, None if they never did."""

    rig: Rig
    seconds: float | None


def live(seed: int, *, faulty: float = 20.0, calm: float = 40.0, **setting: Any) -> Outcome:
    """One seeded life: ``faulty`` seconds of trouble, then ``calm`` seconds in which everything works and everybody is seen.

    Raises:
        PromiseBroken: a link did what it must never do.

    """
    rig = Rig(seed, Weather.drawn(Random(f"weather {seed}")), **setting)
    for name in NAMES:
        rig.later(rig.random.uniform(0.0, 0.3), lambda name=name: rig.start(name))  # type: ignore[misc]
    for _ in range(rig.random.randint(0, 8)):
        fault, name = rig.random.choice(sorted(FAULTS)), rig.random.choice(NAMES)
        seconds = rig.random.choice((0.1, 1.0, 6.0))
        rig.later(rig.random.uniform(0.3, faulty - 6.0), lambda fault=fault, name=name, seconds=seconds: FAULTS[fault](rig, name, seconds))  # type: ignore[misc]
    rig.run(faulty)
    rig.bad = False
    for device in rig.devices.values():
        if device.name in rig.sight:
            rig.tell(device, rig.random.uniform(0.0, 1.0), device.look)
    rig.run(faulty + calm)
    since = rig.agreed_since
    return Outcome(rig, None if since is None else max(0.0, since - faulty))
