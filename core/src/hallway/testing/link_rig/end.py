"""One end of a link: the link itself, and what its driver would do with its effects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hallway.model import PeerRecord, RefusalCode
from hallway.protocol.attempt import Role
from hallway.protocol.chain import CLOUD_PATIENCE, LAN_PATIENCE, NEAR_CLOUD_PATIENCE
from hallway.protocol.effects import (
    Admit,
    Answer,
    Dial,
    Down,
    DownReason,
    Drop,
    Effect,
    Faded,
    Greet,
    Moved,
    Refuse,
    SendFrame,
    Up,
)
from hallway.protocol.frames import Bye, Frame, Hello, Message, Messages, Ping
from hallway.protocol.link import Link
from hallway.testing.link_rig.promises import Promises
from hallway.testing.link_rig.values import Offer, Pipe, Run

if TYPE_CHECKING:
    from hallway.testing.link_rig.device import Device

LOOK_SECONDS = 0.25
"""How often it is looked whether something was acknowledged, while something is under way."""
DRAIN_SECONDS = 1.0
"""How long a channel is kept once the peer has moved from it too: what was sent over it is to arrive."""
INSTANT = 1e-6
"""Seconds that an alarm is ahead at least: sums of seconds are not exact."""


class End:
    """What one life of ``device`` holds for one peer."""

    def __init__(self, device: Device, peer: str) -> None:
        self.device, self.peer, self._rig = device, peer, device.rig
        self.link = Link(device.name, peer.upper(), self._rig.random.random)
        self.runs: dict[int, Run] = {}
        self.open: int | None = None
        self._unread: int | None = None
        self._fading: Pipe | None = None
        """The channel that the link has moved from, while something may come over it."""
        self._alarm: float | None = None
        self._promises = Promises(self)

    @property
    def open_pipe(self) -> Pipe | None:
        """The pipe of the open channel."""
        return self.runs[self.open].pipe if self.open is not None else None

    def do(self, what: str, call: Callable[[], list[Effect]], frame: Frame | None = None) -> None:
        """Carry out the effects of one event, then look whether every promise holds."""
        try:
            effects = call()
        except Exception as error:
            raise self._promises.broken(f"{what} raises nothing, and not {error!r}") from error
        self._rig.told(self, what, frame, effects)
        self._promises.check_effects(effects)
        for effect in effects:
            self._apply(effect)
        deadline = self.link.deadline
        self._arm(deadline)
        self._promises.check(deadline)
        if any(isinstance(effect, Up | Moved | Down) for effect in effects):
            self._rig.changed(self, down=any(isinstance(effect, Down) for effect in effects))

    def seen(self, record: PeerRecord, announced: frozenset[str]) -> None:
        """Something is known of the peer, which itself says to be at ``announced``."""
        pipe, now = self.open_pipe, self.device.now
        if announced and pipe is not None and not pipe.distant and pipe.addresses[pipe.other(self)] not in announced:
            self.do("doubt: the peer is elsewhere", lambda: self.link.doubt(now))
        incoming = self.link.incoming
        offer = self.runs[incoming.id].offer if incoming is not None else None
        if offer is not None and not offer.distant and offer.address in announced:
            self.do("vouched", lambda: self.link.vouched(now))
        near = any(urlsplit(url).scheme == "http" for url in record.endpoints)
        self.do(f"seen {record.epoch} {record.endpoints}", lambda: self.link.seen(record, now, near=near))

    def gone(self) -> None:
        """Nothing is known of the peer any more."""
        self.do("gone", self.link.gone)

    def renew(self) -> None:
        """The device has slept, or has another address."""
        self.do("renew", lambda: self.link.renew(self.device.now))

    def readdressed(self) -> None:
        """The device has another address."""
        pipe = self.open_pipe
        if pipe is None:
            self.renew()
        elif pipe.addresses[self] != self.device.address:
            self.failed(pipe.ends[self], "own address lost", DownReason.ADDRESS_CHANGED)

    def offered(self, offer: Offer) -> None:
        """An offer arrives; the same offer again leads to the same attempt."""
        twin = next((attempt for attempt, run in self.runs.items() if run.offer is offer), None)
        if twin is None:
            self.do("offered", lambda: self._begin(offer))
        elif (pipe := self.runs[twin].pipe) is not None:
            self._rig.network.respond(offer, pipe, requests=1)
        else:
            self._request(offer, twin)

    def _begin(self, offer: Offer) -> list[Effect]:
        attempt, effects = self.link.offered(self.device.now, epoch=offer.epoch, stranger=self._is_stranger(offer))
        self._promises.check_new(attempt)
        self.runs[attempt] = Run(Role.ANSWERER, offer)
        self._request(offer, attempt)
        return effects

    def _request(self, offer: Offer, attempt: int) -> None:
        self.runs[attempt].requests += 1
        offer.handled.append((self, attempt))
        if offer.withdrawn:
            self._rig.network.tell_withdrawn(offer, self.device, partial(self.withdrawn, attempt))

    def _is_stranger(self, offer: Offer) -> bool:
        hosts = self.link.record.hosts if self.link.record is not None else frozenset()
        return not offer.distant and bool(hosts) and offer.address not in hosts

    def withdrawn(self, attempt: int) -> None:
        """A requester has gone; without another one before we have answered the attempt is over."""
        run = self.runs.get(attempt)
        if run is not None and run.pipe is None:
            run.requests -= 1
            if run.requests == 0:
                self.failed(attempt, "withdrawn", expected=True)

    def _answer(self, attempt: int) -> None:
        run = self.runs.get(attempt)
        if run is None:
            return
        assert run.offer is not None
        run.pipe = Pipe()
        run.pipe.join(self, attempt)
        self.do(f"answered {attempt}", partial(self.link.answered, attempt, self.device.now, distant=run.offer.distant))
        self._rig.network.respond(run.offer, run.pipe, requests=run.requests)

    def _offer(self, attempt: int) -> None:
        """Go on along the chain."""
        run = self.runs.get(attempt)
        if run is None:
            return
        if not run.ways:
            self.failed(attempt, "cannot be reached")
            return
        to, distant = run.ways.pop(0)
        run.offer = Offer(self, attempt, self.device.epoch, to, self.device.address, distant)
        self._rig.network.send(run.offer)
        far = NEAR_CLOUD_PATIENCE if self.link.near else CLOUD_PATIENCE
        patience = far if distant else LAN_PATIENCE
        self._rig.schedule.alarm(self.device, patience, partial(self._give_up, run.offer))

    def _give_up(self, offer: Offer) -> None:
        run = self.runs.get(offer.attempt)
        if run is not None and run.offer is offer and run.pipe is None:
            self._rig.network.withdraw(offer)
            self._offer(offer.attempt)

    def response(self, offer: Offer, reply: Pipe | RefusalCode) -> None:
        """The answer to our offer arrives, or a refusal."""
        attempt, run = offer.attempt, self.runs.get(offer.attempt)
        if run is None or run.offer is not offer or run.pipe is not None:
            return
        if isinstance(reply, Pipe):
            run.pipe = reply
            reply.join(self, attempt)
            self.do(f"answered {attempt}", partial(self.link.answered, attempt, self.device.now, distant=offer.distant))
            self._rig.channels.connect(reply, distant=offer.distant)
        elif reply in (RefusalCode.GLARE, RefusalCode.CLOSING):
            self.failed(attempt, f"refused: {reply.value}", expected=True)
        else:
            self._offer(attempt)

    def failed(self, attempt: int, reason: str, down: DownReason = DownReason.CLOSED, *, expected: bool = False) -> None:
        """An attempt has come to an end."""
        fail = partial(self.link.failed, attempt, reason, self.device.now, down, expected=expected)
        self.do(f"failed {attempt}: {reason}", fail)

    def opened(self, pipe: Pipe) -> None:
        """A channel opens at this end."""
        attempt = pipe.ends[self]
        self.do(f"opened {attempt}", lambda: self.link.opened(attempt, self.device.now, speaks_hallway=True, distant=pipe.distant))

    def read(self, pipe: Pipe) -> None:
        """Take in what has arrived, unless the application does not read."""
        attempt, inbox = pipe.ends[self], pipe.flows[self].inbox
        while inbox and self in pipe.opened and self not in pipe.closed and not self._waits(attempt):
            frame = inbox.popleft()
            if frame is None and attempt not in self.runs:
                self.failed(attempt, "the old channel has ended")
                self._rig.channels.close(pipe, self)
            elif frame is None:
                self.failed(attempt, "the channel has ended")
            elif isinstance(frame, Messages) and self.link.passes(attempt):
                self._promises.check_order(frame.items)
            else:
                self.do(f"received {attempt}", partial(self.link.received, attempt, frame, self.device.now), frame)

    def _waits(self, attempt: int) -> bool:
        """Whether that channel is not read now."""
        return attempt == self._unread or (attempt == self.open and self._fading is not None)

    def pause(self, seconds: float) -> None:
        """The application does not read the open channel for a while."""
        attempt = self.open
        if attempt is not None and self._unread is None:
            self._unread = attempt
            self.do("paused", lambda: self.link.pause(attempt, self.device.now, paused=True))
            self._rig.schedule.alarm(self.device, seconds, partial(self._resume, attempt))

    def _resume(self, attempt: int) -> None:
        self._unread = None
        self.do("resumed", lambda: self.link.pause(attempt, self.device.now, paused=False))
        for pipe in (self._fading, self.open_pipe):
            if pipe is not None:
                self.read(pipe)

    def close(self) -> None:
        """The device closes as it should."""
        self.do("close", self.link.close)

    def _apply(self, effect: Effect) -> None:
        match effect:
            case Dial(attempt, record, near):
                self._dial(attempt, record, near=near)
            case Answer(attempt):
                self._rig.schedule.alarm(self.device, self._rig.network.delay(), partial(self._answer, attempt))
            case Refuse(attempt, code):
                self._refuse(self.runs.pop(attempt), code)
            case Drop(attempt, _, graceful):
                self._drop(self.runs.pop(attempt), moved=graceful and self.open is not None)
            case Greet(attempt, moves):
                self._send(attempt, Hello(self.device.name, self.peer.lower(), self.device.epoch, moves=moves))
            case Admit(attempt, hello):
                self.do(f"admitted {attempt}", lambda: self.link.admitted(attempt, hello.epoch, self.device.now))
            case _:
                self._apply_open(effect)

    def _apply_open(self, effect: Effect) -> None:
        match effect:
            case SendFrame(attempt, frame):
                if isinstance(frame, Ping | Bye):
                    self._say(attempt)
                self._send(attempt, frame)
            case Up(attempt) | Moved(attempt):
                self._fading = self.open_pipe if isinstance(effect, Moved) else None
                self.open = attempt
                self._promises.check_carried(self.open_pipe, moved=isinstance(effect, Moved))
                self._say(attempt)
            case Faded(attempt):
                self._fade(attempt)
            case Down():
                self.open = None

    def _fade(self, attempt: int) -> None:
        self._promises.check_faded(attempt, self._fading)
        assert self._fading is not None
        # What was sent over it is to arrive, too.
        self._rig.schedule.alarm(self.device, DRAIN_SECONDS, partial(self._rig.channels.close, self._fading, self))
        self._fading = None
        self._rig.schedule.alarm(self.device, 0.0, self._read_on)

    def _read_on(self) -> None:
        if self.open_pipe is not None:
            self.read(self.open_pipe)

    def _dial(self, attempt: int, record: PeerRecord, *, near: bool) -> None:
        self._promises.check_new(attempt)
        ways = [(urlsplit(url).hostname or "", urlsplit(url).scheme == "cloud") for url in record.endpoints]
        # The LAN first, as in the chain.
        self.runs[attempt] = Run(Role.OFFERER, ways=sorted((way for way in ways if not (near and way[1])), key=lambda way: way[1]))
        self._rig.schedule.alarm(self.device, 0.0, partial(self._offer, attempt))

    def _refuse(self, run: Run, code: RefusalCode) -> None:
        assert run.offer is not None
        self._rig.network.respond(run.offer, code, requests=run.requests)

    def _drop(self, run: Run, *, moved: bool) -> None:
        if run.pipe is not None:
            if not moved:
                self._rig.channels.close(run.pipe, self)
        elif run.role is Role.ANSWERER:
            self._refuse(run, RefusalCode.GLARE)
        elif run.offer is not None:
            self._rig.network.withdraw(run.offer)

    def _say(self, attempt: int) -> None:
        """Send a message of the application; all that are ever sent are numbered."""
        self._send(attempt, Messages((Message("", self._rig.new_number()),)))

    def _send(self, attempt: int, frame: Frame) -> None:
        run = self.runs[attempt]
        assert run.pipe is not None
        self._rig.channels.send(run.pipe, self, frame)
        if run.pipe.tells and not run.looking:
            run.looking = True
            self._rig.schedule.alarm(self.device, LOOK_SECONDS, partial(self._look, attempt))

    def _look(self, attempt: int) -> None:
        run = self.runs.get(attempt)
        if run is None or run.pipe is None:
            return
        if self._rig.channels.acknowledged(run.pipe, self):
            self.do(f"proved {attempt}", lambda: self.link.proved(attempt, self.device.now))
        run.looking = run.pipe.flows[run.pipe.other(self)].waits
        if run.looking:
            self._rig.schedule.alarm(self.device, LOOK_SECONDS, partial(self._look, attempt))

    def _arm(self, deadline: float | None) -> None:
        if deadline is not None and (self._alarm is None or deadline < self._alarm):
            self._alarm = deadline
            self._rig.schedule.alarm(self.device, max(INSTANT, deadline - self.device.now), partial(self._ring, deadline))

    def _ring(self, alarm: float) -> None:
        if alarm != self._alarm:
            return
        self._alarm, deadline = None, self.link.deadline
        if deadline is not None and deadline <= self.device.now:
            self.do("timer", lambda: self.link.timer(self.device.now))
            self._promises.check_timer()
        else:
            self._arm(deadline)

    def __str__(self) -> str:
        link, known = self.link, self.link.record
        at = f"knows {known.epoch} at {known.endpoints}" if known is not None else "knows nothing"
        return f"{self.device} -> {self.peer}: {link.state.value}, {at}, next {link.deadline} of {self.device.now}, {list(link.attempts())}"
