"""The life of a link: found, dialing, open, lost, redialing. Pure decisions; `hallway.runtime.links.driver` carries them out.

At most three attempts exist at once: ``dial`` (our offer), ``incoming`` (theirs) and ``current`` (the open one). A new channel replaces the
current one only once it is open itself, so that nobody can take a working link down by offering another. The link goes from state to
state by the table of `protocol.states`, each attempt by that of `protocol.attempt`; an input that fits neither changes nothing.
"""

from __future__ import annotations

from math import inf

import attrs

from hallway.model import PeerRecord, RefusalCode
from hallway.protocol.attempt import (
    ANSWER_PATIENCE,
    DISTANT_PATIENCE,
    GREETING_PATIENCE,
    HOLD_PATIENCE,
    MAX_CONNECT_PATIENCE,
    Attempt,
    Patience,
    Phase,
    Role,
    Step,
)
from hallway.protocol.effects import (
    Admit,
    Answer,
    Down,
    DownReason,
    Drop,
    Effect,
    Failed,
    Greet,
    Refuse,
    SendFrame,
    Up,
)
from hallway.protocol.frames import MOVED, Bye, Frame, Hello
from hallway.protocol.heartbeat import SUSPICION, Heartbeat
from hallway.protocol.negotiation import Verdict, ended
from hallway.protocol.states import State, Transition
from hallway.protocol.upkeep import Upkeep
from hallway.protocol.vitals import Vitals, content

VERDICT_MARGIN = 0.5
"""Seconds beyond `SUSPICION` for which an offer is held that speaks against the open link: its death must come first."""
SHUNNED = 1.0
"""Seconds for which a peer that broke the protocol gets no new link: to make one costs more than to break it, and others pay with time."""
TIMED_OUT = "the channel did not open in time"


@attrs.define
class Link(Upkeep):
    """All decisions about one peer. Every method that takes ``now`` returns the effects to carry out, in order."""

    shared_patience: Patience = attrs.field(factory=Patience)
    """The device's, shared by its links."""
    _patience: Patience = attrs.field(factory=Patience, init=False)
    """What this link has learnt by itself since it was open last."""
    _shunned_until: float = attrs.field(default=-inf, init=False)

    @property
    def deadline(self) -> float | None:
        """When `timer` wants to be called; None: not until something else happens."""
        times = [attempt.deadline for attempt in self.attempts()]
        times += [self._redial.at, self._upgrade.at, self._fading.deadline, None if self._vitals is None else self._vitals.deadline]
        return min((time for time in times if time is not None), default=None)

    def seen(self, record: PeerRecord, now: float, *, near: bool = False) -> list[Effect]:
        """The peer is in sight, or something about it has changed. ``near``: there is a way to it over the LAN."""
        if self.closed:
            return []
        news, nearer = self.record != record, near and not self.near
        self.record, self.near = record, near
        self.noticed(now)
        if self.incoming is not None and not self.incoming.stranger and not self._contests(self.incoming.epoch):
            effects = self._vouch(self.incoming, now)
            if effects:
                return effects
        if self.current is not None:
            if record.epoch is not None and record.epoch != self.current.epoch:
                self.doubt(now)
            self._look_for_lan(self.current, now, news=news)
            return []
        dropped = self._drop_distant_dial(now) if nearer else []
        waits = (self.incoming is not None and not self.incoming.stranger) or not self._is_wanted
        dialed = self._dial_soon(now) if (news or dropped) and self.dial is None and not waits else []
        self._settle()
        return dropped + dialed

    def gone(self) -> list[Effect]:
        """The peer is out of sight. An open channel and attempts under way live on; no new one is made."""
        self.record, self.near = None, False
        self._redial.cancel()
        self._upgrade.cancel()
        if not any(self.attempts()):
            self._since = None
        if self.state is State.WAITING:
            self._change(Transition.GIVE_UP)
        return []

    def offered(self, now: float, *, epoch: str | None, stranger: bool = False, unsent: bool = False) -> tuple[int, list[Effect]]:
        """The peer has sent an offer. Returns its attempt id; an `Answer` or a `Refuse` for it follows, now or later.

        ``epoch`` is that of the offer; None for a device that does not speak hallway. ``stranger``: it came from another host than those
        where the peer is known to be. Such an offer may be the peer's all the same (it has moved), but it disturbs neither an open link
        that proves to be alive nor an attempt of ours or of the peer's known host. ``unsent``: our own offer, if there is one, still waits
        for its turn, so that the peer's is the only one on the way.
        """
        attempt = self._begin(Role.ANSWERER, Phase.HELD, now + HOLD_PATIENCE)
        if self.closed:
            return attempt.id, [Refuse(attempt.id, RefusalCode.CLOSING)]
        if now < self._shunned_until:
            return attempt.id, [Refuse(attempt.id, RefusalCode.RATE_LIMITED)]
        if stranger and self._is_settled_against(epoch):
            return attempt.id, [Refuse(attempt.id, RefusalCode.FORBIDDEN)]
        attempt.stranger, attempt.epoch = stranger, epoch
        attempt.contested = self._contests(epoch) or (stranger and self.current is not None)
        if self._since is None:
            self._since = now
        effects = self._end_incoming("a newer offer came")
        self.incoming = attempt
        self._change(Transition.ATTEMPT)
        if attempt.contested and self._vitals is not None:
            self._vitals.doubt(now)
            attempt.deadline = now + SUSPICION + VERDICT_MARGIN
            return attempt.id, effects
        return attempt.id, effects + self._negotiate(attempt, now, unsent=unsent)

    def vouched(self, now: float) -> list[Effect]:
        """The address from which the peer's offer came is known now to be the peer's."""
        if self.incoming is None:
            return []
        self.incoming.stranger = False
        return self._vouch(self.incoming, now)

    def answered(self, attempt_id: int, now: float, *, distant: bool = False) -> list[Effect]:
        """Both descriptions of the attempt are known; its channel is opening. ``distant``: it may open over more than the LAN."""
        attempt = self.find(attempt_id)
        if attempt is not None and attempt.phase is Phase.SIGNALING:
            attempt.distant = distant
            near = max(self._patience.seconds, self.shared_patience.seconds)
            patience = (DISTANT_PATIENCE if self.near else MAX_CONNECT_PATIENCE) if distant else near
            attempt.apply(Step.ANSWERED, now + (patience if attempt.role is Role.OFFERER else ANSWER_PATIENCE))
        return []

    def opened(self, attempt_id: int, now: float, *, speaks_hallway: bool, distant: bool | None = None) -> list[Effect]:
        """The channel of the attempt is open. ``distant``: whether it goes over more than the LAN, if the channel can tell."""
        attempt = self.find(attempt_id)
        if attempt is None or attempt.phase is not Phase.CONNECTING:
            return []
        attempt.distant = attempt.distant if distant is None else distant
        attempt.moves = self.current is not None and (self._vitals is None or self._vitals.is_sound(now))
        if speaks_hallway:
            attempt.apply(Step.OPENED, now + GREETING_PATIENCE)
            return [Greet(attempt_id, attempt.moves)]
        attempt.apply(Step.OPENED_PLAIN)
        return self._promote(attempt, now)

    def admitted(self, attempt_id: int, epoch: str, now: float) -> list[Effect]:
        """The guard accepts the peer's HELLO."""
        attempt = self.find(attempt_id)
        if attempt is None or attempt.phase is not Phase.GREETING:
            return []
        attempt.epoch = epoch
        attempt.apply(Step.GREETED)
        return self._promote(attempt, now)

    def passes(self, attempt_id: int) -> bool:
        """Whether messages that come over the channel of the attempt are for the application, without anything to decide."""
        current = self.current
        if current is not None and current.id == attempt_id:
            return self._vitals is not None
        return attempt_id == self._fading.attempt

    def received(self, attempt_id: int, frame: Frame, now: float) -> list[Effect]:
        """A frame came over the channel of the attempt. Messages come here only where they do not pass: see `passes`."""
        if attempt_id == self._fading.attempt:
            return self._end_fading(now) if isinstance(frame, Bye) else content(frame)
        attempt = self.find(attempt_id)
        if attempt is not None and attempt.phase is Phase.GREETING:
            return self._greeting(attempt, frame, now)
        if attempt is None or attempt is not self.current or self._vitals is None:
            return []
        return self._take(attempt, self._vitals, frame, now)

    def _take(self, current: Attempt, vitals: Vitals, frame: Frame, now: float) -> list[Effect]:
        match frame:
            case Bye(reason) if reason == MOVED:
                current.left = True
                return []
            case Bye():
                return self.failed(current.id, "the peer said bye", now, DownReason.BYE)
            case Hello():
                return self.failed(current.id, "a second HELLO", now, DownReason.PROTOCOL)
        effects = vitals.received(frame, now)
        self._follow_vitals()
        return effects

    def renew(self, now: float) -> list[Effect]:
        """This device has slept, or has other addresses: what was under way is doubted, and the peer is dialed anew."""
        if self.closed or self.current is not None or self.state is State.IDLE:
            return self.doubt(now)
        effects = ended(self.dial, "this device's network has changed")
        self.dial = None
        effects += self._release_held(now)
        if self._is_wanted and self.incoming is None:
            self._redial.soon(now)
        self._settle()
        return effects

    def failed(
        self, attempt_id: int, reason: str, now: float, down: DownReason = DownReason.CLOSED, *, expected: bool = False
    ) -> list[Effect]:
        """The attempt has come to an end: no answer, no channel, or an open channel lost. ``expected``: that is no failure to tell of."""
        if attempt_id == self._fading.attempt:
            return self._end_fading(now)
        attempt = self.find(attempt_id)
        if attempt is None:
            return []
        if down is DownReason.PROTOCOL:
            self._shunned_until = now + SHUNNED
        if attempt is self.current:
            return ended(attempt, reason) + self._lost(attempt, down, now)
        expected = expected or self.current is not None or attempt.phase is Phase.HELD
        told: list[Effect] = [] if expected else [Failed(attempt.id, attempt.phase, reason)]
        if attempt is self.incoming:
            effects = told + self._end_incoming(reason)
        else:
            effects = told + ended(attempt, reason)
            self.dial = None
            self.yielding = True
            if reason == TIMED_OUT and not attempt.distant:
                self._patience.missed()
                self.shared_patience.missed()
            effects += self._release_held(now)
        self._plan_redial(now)
        if self.record is None and not any(self.attempts()):
            self._since = None
        self._settle()
        return effects

    def timer(self, now: float) -> list[Effect]:
        """Time has passed; call it at `deadline`, or at any time."""
        effects: list[Effect] = []
        for attempt in list(self.attempts()):
            if attempt.deadline is not None and attempt.deadline <= now:
                effects += self.failed(attempt.id, TIMED_OUT, now)
        if self._fading.is_due(now):
            effects += self._end_fading(now)
        if self._vitals is not None:
            effects += self._beat(self._vitals, now)
        if self._redial.is_due(now):
            effects += self._dial_now(now)
        if self._upgrade.is_due(now):
            effects += self._dial_near()
        return effects

    def close(self) -> list[Effect]:
        """This device is going: say bye and end everything."""
        self._change(Transition.CLOSE)
        self._redial.cancel()
        self._upgrade.cancel()
        self._vitals = None
        effects = self._fading.end()
        if self.current is not None:
            if self.current.epoch is not None:
                effects.append(SendFrame(self.current.id, Bye()))
            effects += [Down(DownReason.CLOSED), Drop(self.current.id, "this device closes", graceful=True)]
            self.current.apply(Step.END)
        for attempt in (self.dial, self.incoming):
            effects += ended(attempt, "this device closes", RefusalCode.CLOSING)
        self.dial = self.incoming = self.current = None
        return effects

    def _drop_distant_dial(self, now: float) -> list[Effect]:
        """Give up an offer that waits for its answer far away, for half a minute perhaps, now that there is a way over the LAN."""
        if self.dial is None or self.dial.phase is not Phase.SIGNALING:
            return []
        effects = ended(self.dial, "the peer has come into sight on the LAN")
        self.dial = None
        return effects + self._release_held(now)

    def _release(self, attempt: Attempt, now: float) -> list[Effect]:
        attempt.apply(Step.RELEASED, now + ANSWER_PATIENCE)
        return [Answer(attempt.id)]

    def _release_held(self, now: float) -> list[Effect]:
        """Our own offer has come to nothing: theirs, if there is one, is answered."""
        if self.incoming is None or self.incoming.phase is not Phase.HELD or self.incoming.contested:
            return []
        return self._release(self.incoming, now)

    def _vouch(self, attempt: Attempt, now: float) -> list[Effect]:
        """An offer that was held because something spoke against it is dealt with as any other."""
        if not attempt.contested or attempt.phase is not Phase.HELD:
            return []
        attempt.contested = False
        return self._negotiate(attempt, now)

    def _negotiate(self, attempt: Attempt, now: float, *, unsent: bool = False) -> list[Effect]:
        verdict = self._verdict(attempt, unsent=unsent)
        effects: list[Effect] = []
        if verdict is Verdict.ANSWER:
            effects += ended(self.dial, "the peer's offer stands")
            self.dial = None
        if verdict is not Verdict.HOLD:
            if not attempt.stranger:
                self._redial.cancel()
            effects += self._release(attempt, now)
        return effects

    def _end_incoming(self, reason: str) -> list[Effect]:
        """The peer's offer is over. One that ends before the open link was put to the proof shows no namesake."""
        attempt, self.incoming = self.incoming, None
        if attempt is not None and self._vitals is not None and self._vitals.doubted:
            attempt.contested = False
        return ended(attempt, reason)

    def _greeting(self, attempt: Attempt, frame: Frame, now: float) -> list[Effect]:
        if (objection := self._objection(frame)) is not None:
            return self.failed(attempt.id, objection, now)
        assert isinstance(frame, Hello)
        attempt.moves = attempt.moves and frame.moves
        return [Admit(attempt.id, frame)]

    def _promote(self, attempt: Attempt, now: float) -> list[Effect]:
        previous, since = self.current, self._since
        others = [other for other in (self.dial, self.incoming) if other is not attempt]
        self.current, self.dial, self.incoming = attempt, None, None
        self._since = self._left = None
        self.yielding = False
        self._patience = Patience()
        self.shared_patience.kept()
        self._redial.linked()
        self._upgrade.cancel()
        self._look_for_lan(attempt, now, news=True)
        self._change(Transition.LINK)
        self._vitals = Vitals(attempt.id, Heartbeat(self.timing, now)) if attempt.epoch is not None else None
        effects = [effect for other in others for effect in ended(other, "another channel opened first")]
        up = Up(attempt.id, now - (since if since is not None else now))
        if previous is None:
            return [*effects, up]
        return effects + self._fading.end() + self._replace(previous, attempt, up, now)

    def _replace(self, previous: Attempt, attempt: Attempt, up: Up, now: float) -> list[Effect]:
        previous.apply(Step.END)
        if previous.epoch == attempt.epoch and attempt.moves:
            return self._move(previous, attempt, now)
        reason = DownReason.RESTARTED if previous.epoch != attempt.epoch else DownReason.ADDRESS_CHANGED
        return [Down(reason), Drop(previous.id, "a newer channel replaced it"), up]

    def _lost(self, lost: Attempt, reason: DownReason, now: float) -> list[Effect]:
        effects = self._fading.end() + self._end_moving()
        self.current = None
        self._vitals = None
        self._upgrade.cancel()
        # The bye of an earlier life may come after the sight of the next one.
        self._left = lost.epoch if reason is DownReason.BYE else None
        self._since = now if self._is_wanted or self.incoming is not None else None
        if self._is_wanted and self.dial is None:
            self._redial.lost(max(now, self._shunned_until))
        self._change(Transition.LEAVE if self._redial.at is None else Transition.LOSE)
        effects.append(Down(reason))
        if any(self.attempts()):
            self._change(Transition.ATTEMPT)
        if self.incoming is not None and self.incoming.phase is Phase.HELD:
            self.incoming.contested = False
            effects += self._release(self.incoming, now)
        return effects

    def _beat(self, vitals: Vitals, now: float) -> list[Effect]:
        effects, dead = vitals.tick(now)
        self._follow_vitals()
        return effects + (self.failed(vitals.attempt, "the peer has fallen silent", now, DownReason.TIMEOUT) if dead else [])
