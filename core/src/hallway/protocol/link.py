"""The life of a link: found, dialing, open, lost, redialing. Pure decisions; `runtime.link_driver` carries them out.

At most three attempts exist at once: ``dial`` (our offer), ``incoming`` (theirs) and ``current`` (the open one). A new channel replaces the
current one only once it is open itself, so that nobody can take a working link down by offering another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import attrs

from hallway.model import PeerRecord, RefusalCode
from hallway.protocol.attempt import Attempt, Phase, Role, Step
from hallway.protocol.effects import (
    Admit,
    Answer,
    Contested,
    Deliver,
    Dial,
    Down,
    DownReason,
    Drop,
    Effect,
    Greet,
    Moved,
    Refuse,
    SendFrame,
    Up,
)
from hallway.protocol.frames import VERSION, Bye, Frame, Hello, Messages, Ping, Pong
from hallway.protocol.heartbeat import SUSPICION, Heartbeat, Pulse
from hallway.protocol.negotiation import Verdict, glare
from hallway.protocol.redial import Redial

CONNECT_PATIENCE = 1.5
"""Seconds that a channel has to open after the answer; doubles with every attempt that got so far and failed (loss)."""
MAX_CONNECT_PATIENCE = 12.0
"""Seconds that it has at most, and from the start if it is to open over more than the LAN."""
GREETING_PATIENCE = 5.0
"""Seconds that a peer has to send its HELLO."""
HOLD_PATIENCE = 8.0
"""Seconds that an offer is held while ours is under way."""
ANSWER_PATIENCE = 15.0
"""Seconds that an answered offer has to become a channel."""


@attrs.define
class Link:
    """All decisions about one peer. Every method that takes ``now`` returns the effects to carry out, in order."""

    own_id: str
    peer_id: str
    random: Callable[[], float]
    record: PeerRecord | None = None
    dial: Attempt | None = None
    incoming: Attempt | None = None
    current: Attempt | None = None
    closed: bool = False
    _since: float | None = None
    _patience: float = CONNECT_PATIENCE
    _yielding: bool = False
    _heartbeat: Heartbeat | None = None
    _paused: int | None = None
    _fading: set[int] = attrs.field(factory=set)
    _ids: Iterator[int] = attrs.field(factory=lambda: count(1))
    _pings: Iterator[int] = attrs.field(factory=lambda: count(1))
    _redial: Redial = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._redial = Redial(self.random)

    @property
    def forgettable(self) -> bool:
        """Whether nothing is known of the peer and nothing is under way."""
        return self.record is None and not any(self._attempts())

    @property
    def deadline(self) -> float | None:
        """When `timer` wants to be called; None: not until something else happens."""
        times = [attempt.deadline for attempt in self._attempts() if attempt.deadline is not None]
        if self._redial.at is not None:
            times.append(self._redial.at)
        if self._heartbeat is not None:
            times.append(self._heartbeat.deadline)
        return min(times, default=None)

    def noticed(self, now: float) -> None:
        """The peer was seen for the first time, but is not to be dialed yet: from here on the time to a link counts."""
        if self._since is None and self.current is None:
            self._since = now

    def seen(self, record: PeerRecord, now: float) -> list[Effect]:
        """The peer is in sight, or something about it has changed."""
        news = self.record is None or self.record != record
        self.record = record
        if self.closed:
            return []
        self.noticed(now)
        if self.incoming is not None and self.incoming.contested and not self._contests(self.incoming.epoch):
            self.incoming.contested = False
            return self._release(self.incoming, now)
        if self.current is not None:
            if record.epoch is not None and record.epoch != self.current.epoch and self._heartbeat is not None:
                self._heartbeat.suspect(now)
            return []
        waits = self.incoming is not None and not self.incoming.stranger
        return self._dial_now(now) if news and self.dial is None and not waits and self._redial.may_dial(now) else []

    def gone(self) -> list[Effect]:
        """The peer is out of sight. An open channel and attempts under way live on; no new one is made."""
        self.record = None
        self._redial.cancel()
        if self.current is None and self.dial is None and self.incoming is None:
            self._since = None
        return []

    def offered(self, now: float, *, epoch: str | None, stranger: bool = False) -> tuple[int, list[Effect]]:
        """The peer has sent an offer. Returns its attempt id; an `Answer` or a `Refuse` for it follows, now or later.

        ``epoch`` is that of the offer; None for a device that does not speak hallway. ``stranger``: it came from another host than those
        where the peer is known to be. Such an offer may be the peer's all the same (it has moved), but it disturbs neither an open link nor
        an attempt of ours or of the peer's known host.
        """
        attempt = Attempt(next(self._ids), Role.ANSWERER, Phase.HELD, now + HOLD_PATIENCE)
        if self.closed:
            return attempt.id, [Refuse(attempt.id, RefusalCode.CLOSING)]
        if stranger and (self.current is not None or (self.incoming is not None and not self.incoming.stranger)):
            return attempt.id, [Refuse(attempt.id, RefusalCode.FORBIDDEN)]
        attempt.stranger, attempt.epoch, attempt.contested = stranger, epoch, self._contests(epoch)
        if self._since is None:
            self._since = now
        effects = self._end(self.incoming, "a newer offer came")
        self.incoming = attempt
        if attempt.contested and self._heartbeat is not None:
            self._heartbeat.suspect(now)
            attempt.deadline = now + SUSPICION
            return attempt.id, effects
        verdict = Verdict.BOTH if stranger else self._verdict(speaks_hallway=epoch is not None)
        if verdict is Verdict.ANSWER:
            effects += self._end(self.dial, "the peer's offer stands")
            self.dial = None
        if verdict is not Verdict.HOLD:
            if not stranger:
                self._redial.cancel()
            effects += self._release(attempt, now)
        return attempt.id, effects

    def answered(self, attempt_id: int, now: float, *, distant: bool = False) -> list[Effect]:
        """Both descriptions of the attempt are known; its channel is opening. ``distant``: over more than the LAN."""
        attempt = self._find(attempt_id)
        if attempt is not None and attempt.phase is Phase.SIGNALING:
            attempt.distant = distant
            patience = MAX_CONNECT_PATIENCE if distant else self._patience
            attempt.apply(Step.ANSWERED, now + (patience if attempt.role is Role.OFFERER else ANSWER_PATIENCE))
        return []

    def opened(self, attempt_id: int, now: float, *, speaks_hallway: bool) -> list[Effect]:
        """The channel of the attempt is open."""
        attempt = self._find(attempt_id)
        if attempt is None or attempt.phase is not Phase.CONNECTING:
            return []
        if speaks_hallway:
            attempt.apply(Step.OPENED, now + GREETING_PATIENCE)
            return [Greet(attempt_id)]
        attempt.apply(Step.OPENED_PLAIN)
        return self._promote(attempt, now)

    def admitted(self, attempt_id: int, epoch: str, now: float) -> list[Effect]:
        """The guard accepts the peer's HELLO."""
        attempt = self._find(attempt_id)
        if attempt is None or attempt.phase is not Phase.GREETING:
            return []
        attempt.epoch = epoch
        attempt.apply(Step.GREETED)
        return self._promote(attempt, now)

    def received(self, attempt_id: int, frame: Frame, now: float) -> list[Effect]:
        """A frame came over the channel of the attempt."""
        if attempt_id in self._fading and isinstance(frame, Messages):
            return [Deliver(frame.items)]
        attempt = self._find(attempt_id)
        if attempt is not None and attempt.phase is Phase.GREETING:
            return self._greeting(attempt, frame, now)
        return self._frame(attempt, frame, now) if attempt is not None and attempt is self.current else []

    def failed(self, attempt_id: int, reason: str, now: float, down: DownReason = DownReason.CLOSED) -> list[Effect]:
        """The attempt has come to an end: no answer, no channel, or an open channel lost."""
        attempt = self._find(attempt_id)
        if attempt is None:
            return []
        effects = self._end(attempt, reason)
        if attempt is self.current:
            return effects + self._lost(attempt, down, now)
        if attempt is self.dial:
            self.dial = None
            self._yielding = True
            if reason == TIMED_OUT and not attempt.distant:
                self._patience = min(2 * self._patience, MAX_CONNECT_PATIENCE)
            if self.incoming is not None and self.incoming.phase is Phase.HELD:
                return effects + self._release(self.incoming, now)
        else:
            self.incoming = None
        self._plan_redial(now)
        if self.record is None and not any(self._attempts()):
            self._since = None
        return effects

    def pause(self, attempt_id: int, now: float, *, paused: bool) -> list[Effect]:
        """The open channel of the attempt is not read at this end (or is again).

        Silence proves nothing meanwhile, and we go on showing that we live.
        """
        if paused and self.current is not None and self.current.id == attempt_id:
            self._paused = attempt_id
        elif self._paused == attempt_id:
            self._paused = None
            if self._heartbeat is not None:
                self._heartbeat.received(now)
        return []

    def timer(self, now: float) -> list[Effect]:
        """Time has passed; call it at `deadline`, or at any time."""
        effects: list[Effect] = []
        for attempt in list(self._attempts()):
            if attempt.deadline is not None and attempt.deadline <= now:
                effects += self.failed(attempt.id, TIMED_OUT, now)
        if self._heartbeat is not None:
            effects += self._beat(self._heartbeat, now)
        if self._redial.is_due(now):
            effects += self._dial_now(now)
        return effects

    def close(self) -> list[Effect]:
        """This device is going: say bye and end everything."""
        self.closed = True
        self._redial.cancel()
        self._heartbeat = None
        effects: list[Effect] = []
        if self.current is not None:
            if self.current.epoch is not None:
                effects.append(SendFrame(self.current.id, Bye()))
            effects += [Down(DownReason.CLOSED), Drop(self.current.id, "this device closes", graceful=True)]
            self.current.apply(Step.END)
        for attempt in (self.dial, self.incoming):
            effects += self._end(attempt, "this device closes", RefusalCode.CLOSING)
        self.dial = self.incoming = self.current = None
        return effects

    def _attempts(self) -> Iterator[Attempt]:
        return (attempt for attempt in (self.current, self.dial, self.incoming) if attempt is not None)

    def _find(self, attempt_id: int) -> Attempt | None:
        return next((attempt for attempt in self._attempts() if attempt.id == attempt_id), None)

    def _end(self, attempt: Attempt | None, reason: str, code: RefusalCode = RefusalCode.GLARE) -> list[Effect]:
        if attempt is None:
            return []
        held = attempt.phase is Phase.HELD
        attempt.apply(Step.END)
        if held and attempt.contested:
            return [Refuse(attempt.id, RefusalCode.FORBIDDEN), Contested()]
        return [Refuse(attempt.id, code)] if held else [Drop(attempt.id, reason)]

    def _release(self, attempt: Attempt, now: float) -> list[Effect]:
        attempt.apply(Step.RELEASED, now + ANSWER_PATIENCE)
        return [Answer(attempt.id)]

    def _contests(self, epoch: str | None) -> bool:
        """Whether an offer of that epoch speaks against an open link that nothing else speaks against: two devices may have one id."""
        known = (self.current.epoch if self.current is not None else None, self.record.epoch if self.record is not None else None)
        return epoch is not None and None not in known and epoch not in known

    def _verdict(self, *, speaks_hallway: bool) -> Verdict:
        if self.dial is None:
            return Verdict.ANSWER
        greeting = self.dial.phase is Phase.GREETING
        return glare(self.own_id, self.peer_id, speaks_hallway=speaks_hallway, yielding=self._yielding, greeting=greeting)

    def _dial_now(self, now: float) -> list[Effect]:
        self._redial.cancel()
        if self.record is None or self.closed or self.current is not None or self.dial is not None:
            return []
        self._redial.dialed(now)
        self.dial = Attempt(next(self._ids), Role.OFFERER)
        return [Dial(self.dial.id, self.record)]

    def _plan_redial(self, now: float) -> None:
        if self.record is not None and not self.closed and self.current is None and self.dial is None:
            self._redial.failed(now)

    def _greeting(self, attempt: Attempt, frame: Frame, now: float) -> list[Effect]:
        if not isinstance(frame, Hello):
            return self.failed(attempt.id, "the peer's first frame was no HELLO", now)
        if frame.to.lower() != self.own_id.lower() or frame.sender.lower() != self.peer_id.lower():
            return self.failed(attempt.id, f"the HELLO is from {frame.sender} to {frame.to}", now)
        if VERSION not in frame.versions:
            return self.failed(attempt.id, f"the peer speaks versions {frame.versions}, we {VERSION}", now)
        return [Admit(attempt.id, frame)]

    def _frame(self, current: Attempt, frame: Frame, now: float) -> list[Effect]:
        if self._heartbeat is not None:
            self._heartbeat.received(now)
        match frame:
            case Ping(number):
                return [SendFrame(current.id, Pong(number))]
            case Messages(items):
                return [Deliver(items)]
            case Bye():
                return self.failed(current.id, "the peer said bye", now, DownReason.BYE)
            case Hello():
                return self.failed(current.id, "a second HELLO", now, DownReason.PROTOCOL)
        return []

    def _promote(self, attempt: Attempt, now: float) -> list[Effect]:
        previous, since = self.current, self._since
        others = [other for other in (self.dial, self.incoming) if other is not attempt]
        self.current, self.dial, self.incoming = attempt, None, None
        self._since = self._paused = None
        self._yielding = False
        self._patience = CONNECT_PATIENCE
        self._redial.linked()
        self._heartbeat = Heartbeat(now) if attempt.epoch is not None else None
        effects = [effect for other in others for effect in self._end(other, "another channel opened first")]
        if previous is None:
            return [*effects, Up(attempt.id, now - (since if since is not None else now))]
        previous.apply(Step.END)
        if previous.epoch == attempt.epoch:
            # What the peer sent over the old channel before it moved still counts.
            self._fading = {previous.id}
            return [*effects, Moved(attempt.id), Drop(previous.id, "the link has moved", graceful=True)]
        gone = Drop(previous.id, "a newer channel replaced it")
        return [*effects, Down(DownReason.RESTARTED), gone, Up(attempt.id, now - (since if since is not None else now))]

    def _lost(self, lost: Attempt, reason: DownReason, now: float) -> list[Effect]:
        self.current = None
        self._heartbeat = None
        effects: list[Effect] = [Down(reason)]
        if self.incoming is not None and self.incoming.phase is Phase.HELD and not self.closed:
            self.incoming.contested = False
            effects += self._release(self.incoming, now)
        # The bye of an earlier life may come after the sight of the next one.
        wanted = self.record is not None and (reason is not DownReason.BYE or self.record.epoch != lost.epoch)
        self._since = now if wanted or self.incoming is not None else None
        if wanted and not self.closed:
            self._redial.lost(now)
        return effects

    def _beat(self, heartbeat: Heartbeat, now: float) -> list[Effect]:
        if self.current is None:
            return []
        pulse = heartbeat.tick(now)
        if pulse is not None and self._paused is not None:
            heartbeat.received(now)
            pulse = Pulse.ASK
        match pulse:
            case Pulse.ASK:
                return [SendFrame(self.current.id, Ping(next(self._pings)))]
            case Pulse.DEAD:
                return self.failed(self.current.id, "the peer has fallen silent", now, DownReason.TIMEOUT)
        return []


TIMED_OUT = "the channel did not open in time"
