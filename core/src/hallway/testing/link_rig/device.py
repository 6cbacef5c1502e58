"""One end: a link, and what its driver would hold for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hallway.model import PeerRecord
from hallway.protocol.attempt import Phase, Role
from hallway.protocol.effects import Admit, Answer, Dial, Down, Drop, Effect, Greet, Moved, Refuse, SendFrame, Up
from hallway.protocol.frames import Frame, Hello, decode, encode
from hallway.protocol.link import Link
from hallway.testing.link_rig.values import NAMES, Offer, Pipe, PromiseBroken, Run

if TYPE_CHECKING:
    from hallway.testing.link_rig.rig import Rig


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
        attempt, effects = self.link.offered(self.rig.now, epoch=offer.epoch)
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
        if self.open is not None:
            attempt = self.open
            self.do("paused", self.link.pause(attempt, self.rig.now, paused=True))
            self.rig.tell(self, seconds, lambda: self.do("resumed", self.link.pause(attempt, self.rig.now, paused=False)))

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
                self.runs[attempt] = Run(Offer(self, attempt, self.epoch), Role.OFFERER)
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
            case _:
                self._apply_open(effect)

    def _apply_open(self, effect: Effect) -> None:
        match effect:
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
        reason = link.dial is not None or (link.incoming is not None and link.incoming.contested)
        self._promise(not held or reason, "an offer is held only while ours is under way, or another link speaks against it")

    def _promise(self, holds: bool, what: str) -> None:
        if not holds:
            raise PromiseBroken(f"{self.name}: broken promise: {what}\n{self.rig.story()}")

    def __str__(self) -> str:
        return f"{self.name}/{self.epoch} open={self.open} {self.link}"
