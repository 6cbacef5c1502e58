"""The window in which a device may join, at the end of the device that invites.

A joiner comes with PAIR1 and gets PAIR2, comes with PAIR3 and gets PAIR4, and says "done". It proves first that it knows the token or the
code, so whoever does not learns nothing that could be tried out at leisure. One joiner is served at a time. Whoever has the code may be
anybody who read it from the screen, so a person looks at it; whoever has the token has seen the whole invitation.
"""

from __future__ import annotations

import hmac
from enum import StrEnum
from typing import Literal

import attrs

from hallway.errors import Untrusted
from hallway.trust import pairing_wire
from hallway.trust.applicant import Applicant, read_applicant
from hallway.trust.invitation import TOKEN_BYTES, Invitation, Place, key_hash, make_code, usable
from hallway.trust.keys import Random
from hallway.trust.pairing_wire import Done, First, Fourth, No, Second, Third, Wait, Way
from hallway.trust.pake import Exchange, PairKeys, password

LIFE = 300.0
"""Seconds for which a window is open."""
ATTEMPTS = 3
"""PAIR1s that may come of it; each could be a guess at the code."""
PATIENCE = 20.0
"""Seconds for which a joiner that says nothing keeps others out."""


class Outcome(StrEnum):
    """How an attempt went."""

    CONFIRMED = "confirmed"
    WRONG = "wrong"
    GIVEN_UP = "given-up"


class Closing(StrEnum):
    """Why a window is closed."""

    ENROLLED = "enrolled"
    ATTEMPTS = "attempts"
    EXPIRED = "expired"
    STOPPED = "stopped"


@attrs.frozen
class Attempted:
    """An attempt is over, or has shown that it knows the secret; ``left`` more may come."""

    way: Way
    outcome: Outcome
    left: int


@attrs.frozen
class Asking:
    """A person has to look at this one."""

    applicant: Applicant


@attrs.frozen
class TurnedAway:
    """This one proved itself and yet is not taken in."""

    applicant: Applicant
    reason: No


@attrs.frozen
class Enrolled:
    """This one belongs to the property now."""

    applicant: Applicant


@attrs.frozen
class Closed:
    """The window is closed."""

    reason: Closing


Event = Attempted | Asking | TurnedAway | Enrolled | Closed


@attrs.frozen
class Reply:
    """What to answer."""

    body: bytes = attrs.field(repr=False)


@attrs.frozen
class Application:
    """Somebody may join: `Window.grant` or `Window.deny` answers; or `Window.ask`, if ``admitted`` is not yet True."""

    applicant: Applicant
    admitted: bool


@attrs.define
class _Session:
    first: First
    answer: Second
    keys: PairKeys = attrs.field(repr=False)
    heard: float
    applicant: Applicant | None = None
    third: bytes = attrs.field(default=b"", repr=False)
    state: Literal["begun", "asking", "admitted", "granted", "denied"] = "begun"
    fourth: bytes = attrs.field(default=b"", repr=False)
    no: No = No.DECLINED

    @property
    def is_over(self) -> bool:
        """Whether it keeps nobody else out."""
        return self.state in {"granted", "denied"}


@attrs.define
class Window:
    """An open window. ``handle`` decides on what comes in; what happened is in ``events`` until somebody takes it.

    ``with_code`` False: only the whole invitation lets a device in, so strangers cannot use the attempts up.
    """

    admin: bytes
    places: tuple[Place, ...]
    random: Random = attrs.field(repr=False)
    opened: float
    with_code: bool = True
    events: list[Event] = attrs.field(factory=list)
    closed: Closing | None = None
    invitation: Invitation = attrs.field(init=False, repr=False)
    code: str = attrs.field(init=False, repr=False)
    _session: _Session | None = attrs.field(default=None, init=False, repr=False)
    _attempts: int = attrs.field(default=0, init=False)
    _bearers: set[bytes] = attrs.field(factory=set, init=False)
    _member: tuple[bytes, bytes] | None = attrs.field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.invitation = Invitation(key_hash(self.admin), self.random(TOKEN_BYTES), usable(self.places))
        self.code = make_code(self.random)

    @property
    def expires(self) -> float:
        """When it closes by itself."""
        return self.opened + LIFE

    @property
    def left(self) -> int:
        """How many more attempts may come."""
        return max(0, ATTEMPTS - self._attempts)

    def tick(self, now: float) -> None:
        """Let time pass: a silent joiner is given up, and the window closes at its end."""
        session = self._session
        if self.closed is None and session is not None and not session.is_over and now - session.heard > PATIENCE:
            self._end(session, Outcome.GIVEN_UP)
        if self.closed is None and now >= self.expires:
            self.close(Closing.EXPIRED if self._member is None else Closing.ENROLLED)

    def close(self, reason: Closing) -> None:
        """Close it. Closing twice is silent."""
        if self.closed is None:
            self.closed, self._session = reason, None
            self.events.append(Closed(reason))

    def handle(self, body: bytes, now: float) -> Reply | No | Application:
        """Decide on what a joiner has sent. After an `Application`, `ask`, `grant` or `deny` makes the answer."""
        self.tick(now)
        if self.closed is not None:
            return No.CLOSED
        try:
            message = pairing_wire.read_request(body)
            if isinstance(message, First):
                return self._begin(message, now)
            if isinstance(message, Third):
                return self._confirm(message, now)
            return self._done(message)
        except Untrusted:
            return No.FORM

    def ask(self) -> Reply:
        """A person has to decide; the joiner asks again."""
        session = self._applying()
        if session.state == "begun":
            session.state = "asking"
            assert session.applicant is not None
            self.events.append(Asking(session.applicant))
        return Reply(Wait().body())

    def answer(self, sub: str, *, admit: bool) -> bool:
        """What the person said about the joiner with the key id ``sub``; False if nobody of that key waits."""
        session = self._session
        if session is None or session.state != "asking" or session.applicant is None or session.applicant.sub != sub:
            return False
        if admit:
            session.state = "admitted"
        else:
            self._turn_away(session, No.DECLINED)
        return True

    def grant(self, content: bytes) -> Reply:
        """The joiner is taken in; ``content`` is what it gets."""
        session = self._applying()
        assert session.applicant is not None
        if self._member is None:
            self.events.append(Enrolled(session.applicant))
            self._member = session.first.joiner, content
        session.state = "granted"
        keys = session.keys
        session.fourth = Fourth(keys.confirm("admin"), keys.seal("admin", self._member[1])).body()
        return Reply(session.fourth)

    def deny(self, reason: No) -> No:
        """The joiner is not taken in."""
        self._turn_away(self._applying(), reason)
        return reason

    def _begin(self, first: First, now: float) -> Reply | No:
        session = self._session
        if session is not None and session.first == first:
            # Anybody can say again what it has heard: that is no sign of life.
            return Reply(session.answer.body())
        if (no := self._refused(first)) is not None:
            return no
        if session is not None and not session.is_over:
            self._end(session, Outcome.GIVEN_UP)
        if self.closed is not None:
            return No.CLOSED
        self._count(first)
        secret = self.invitation.token if first.way == "invitation" else self.code.encode()
        exchange = Exchange("admin", password(first.way, secret), first.joiner, self.random)
        answer = Second(self.random(pairing_wire.SESSION_BYTES), exchange.message)
        self._session = _Session(first, answer, exchange.finish(first, answer), now)
        return Reply(answer.body())

    def _refused(self, first: First) -> No | None:
        """Everything that costs next to nothing to look at."""
        if first.way == "invitation":
            mac = first.mac_of(self.invitation.token)
            if first.mac is None or not hmac.compare_digest(mac, first.mac):
                return No.TOKEN
        elif not self.with_code:
            return No.TOKEN
        if self._member is not None and self._member[0] != first.joiner:
            return No.USED
        if self._session is not None and not self._session.is_over and self._session.first.joiner != first.joiner:
            return No.BUSY
        if self.left == 0 and first.joiner not in self._bearers:
            return No.CLOSED
        return None

    def _count(self, first: First) -> None:
        # A retry of somebody who has shown the token is no guess.
        if first.way == "invitation":
            if first.joiner in self._bearers:
                return
            self._bearers.add(first.joiner)
        self._attempts += 1

    def _confirm(self, third: Third, now: float) -> Reply | No | Application:
        session = self._session
        if session is None or not hmac.compare_digest(session.answer.session, third.session):
            return No.SESSION
        if session.applicant is None:
            if (no := self._check(session, third)) is not None:
                return no
        elif third.body() != session.third:
            return No.SESSION
        session.heard = now
        return self._proceed(session)

    def _proceed(self, session: _Session) -> Reply | No | Application:
        assert session.applicant is not None
        match session.state:
            case "granted":
                return Reply(session.fourth)
            case "denied":
                return session.no
            case "asking":
                return Reply(Wait().body())
        if self._member is not None:
            return self.grant(b"")
        return Application(session.applicant, session.state == "admitted" or session.first.way == "invitation")

    def _check(self, session: _Session, third: Third) -> No | None:
        if not session.keys.is_confirmed("joiner", third.confirm):
            self._end(session, Outcome.WRONG)
            return No.WRONG
        try:
            session.applicant = read_applicant(session.keys.unseal("joiner", third.sealed), session.first, session.keys.transcript)
        except Untrusted:
            self._end(session, Outcome.GIVEN_UP)
            raise
        session.third = third.body()
        self.events.append(Attempted(session.first.way, Outcome.CONFIRMED, self.left))
        return None

    def _done(self, done: Done) -> Reply | No:
        session = self._session
        if session is None or session.state != "granted" or not hmac.compare_digest(session.answer.session, done.session):
            return No.SESSION
        if not hmac.compare_digest(session.keys.done(), done.confirm):
            return No.FORM
        self.close(Closing.ENROLLED)
        return Reply(done.body())

    def _applying(self) -> _Session:
        assert self._session is not None
        assert self._session.applicant is not None
        return self._session

    def _turn_away(self, session: _Session, reason: No) -> None:
        assert session.applicant is not None
        self.events.append(TurnedAway(session.applicant, reason))
        session.state, session.no = "denied", reason
        self._close_if_used_up()

    def _end(self, session: _Session, outcome: Outcome) -> None:
        if session.applicant is None:
            self.events.append(Attempted(session.first.way, outcome, self.left))
        else:
            self.events.append(TurnedAway(session.applicant, No.SESSION))
        self._session = None
        self._close_if_used_up()

    def _close_if_used_up(self) -> None:
        if self.left == 0 and not self._bearers and self._member is None:
            self.close(Closing.ATTEMPTS)
