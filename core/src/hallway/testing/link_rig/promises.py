"""What a link promises its driver at every step."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hallway.protocol.attempt import ANSWER_PATIENCE, GREETING_PATIENCE, HOLD_PATIENCE, MAX_CONNECT_PATIENCE, Attempt, Phase, Role
from hallway.protocol.effects import Down, Drop, Effect, Failed, Moved, Refuse, SendFrame, Suspected, Up
from hallway.protocol.frames import Message
from hallway.protocol.link import Link
from hallway.protocol.redial import SLOW_REDIAL_CAP
from hallway.protocol.states import State
from hallway.testing.link_rig.values import Pipe, PromiseBroken

if TYPE_CHECKING:
    from hallway.testing.link_rig.end import End

LONGEST = {
    Phase.HELD: HOLD_PATIENCE,
    Phase.SIGNALING: ANSWER_PATIENCE,
    Phase.CONNECTING: max(MAX_CONNECT_PATIENCE, ANSWER_PATIENCE),
    Phase.GREETING: GREETING_PATIENCE,
}
"""Seconds that a phase may last, where the link is the one to bound it."""


def expected_states(link: Link, deadline: float | None) -> tuple[State, ...]:
    """What the slots say that the state is; ``deadline`` is the link's."""
    if link.closed:
        return (State.CLOSED,)
    if link.current is not None:
        return (State.OPEN, State.SUSPECT)
    if link.dial is not None or link.incoming is not None:
        return (State.DIALING,)
    return (State.IDLE if deadline is None else State.WAITING,)


class Promises:
    """Those of one end."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._newest = 0
        self._heard = 0

    def broken(self, promise: str) -> PromiseBroken:
        """The error that tells of a broken promise."""
        return PromiseBroken(f"{self._end}: broken promise: {promise}\n{self._end.device.rig.story(self._end)}")

    def _hold(self, holds: bool, promise: str) -> None:
        if not holds:
            raise self.broken(promise)

    def check_new(self, attempt: int) -> None:
        """The id of a new attempt."""
        self._hold(attempt > self._newest, "attempt ids are new")
        self._newest = attempt

    def check_effects(self, effects: list[Effect]) -> None:
        """The effects of one event, before they are carried out."""
        for effect, following in pairwise([*effects, None]):
            if isinstance(effect, Failed):
                ends = isinstance(following, Drop | Refuse) and following.attempt == effect.attempt
                self._hold(ends and effect.attempt in self._end.runs, "a failure is told just before the attempt ends")
                self._hold(effect.attempt != self._end.open, "that an open link is lost is no failed attempt")
        dropped = {effect.attempt for effect in effects if isinstance(effect, Drop)}
        self._check_open(effects, dropped)

    def _check_open(self, effects: list[Effect], dropped: set[int]) -> None:
        before = is_open = self._end.open
        for effect in effects:
            match effect:
                case Up(attempt, seconds):
                    self._hold(is_open is None, "a Down comes between two Ups")
                    self._hold(seconds >= 0, "a link takes time to open")
                    is_open = attempt
                case Moved(attempt):
                    self._hold(is_open not in (None, attempt), "only an open link moves, to another channel")
                    is_open = attempt
                case Down():
                    self._hold(is_open is not None, "only an open link goes down")
                    self._hold(is_open in dropped, "a link goes down with its channel, and with no other attempt")
                    is_open = None
                case SendFrame(attempt):
                    self._hold(attempt == is_open, "frames go over the open channel")
                case Suspected():
                    self._hold(is_open is not None, "only an open link is suspected")
        self._hold(before is None or is_open == before or before in dropped, "a channel that is not the link's any more is closed")

    def check_faded(self, attempt: int, fading: Pipe | None) -> None:
        """The attempt of the channel that the link has moved from, once for each move."""
        self._hold(fading is not None and fading.ends[self._end] == attempt, "only what the link has moved from fades, and once")

    def check_carried(self, pipe: Pipe | None, *, moved: bool) -> None:
        """The channel that is the link's now, and whether it carries on an open link: the other end must see no gap where this one does."""
        assert pipe is not None
        pipe.carries_on[self._end] = moved
        self._hold(len(set(pipe.carries_on.values())) == 1, "a channel carries a link on at both ends or at none")

    def check_order(self, messages: tuple[Message, ...]) -> None:
        """Messages for the application, numbered in the order in which they were sent."""
        for message in messages:
            self._hold(message.value > self._heard, f"messages keep their order: {message.value} comes after {self._heard}")
            self._heard = message.value

    def check(self, deadline: float | None) -> None:
        """How things are after one event; ``deadline`` is the link's."""
        link, end = self._end.link, self._end
        attempts = list(link.attempts())
        self._hold({each.id for each in attempts} == end.runs.keys(), "every attempt is known to the driver, and no other")
        self._hold((link.current.id if link.current is not None else None) == end.open, "the current attempt is the open one")
        self._hold(link.state in expected_states(link, deadline), "the state is what the slots say")
        for each in attempts:
            self._check_attempt(each)
        self._check_deadline(deadline)
        if link.closed:
            self._hold(not attempts and deadline is None, "a closed link holds nothing and waits for nothing")

    def _check_attempt(self, attempt: Attempt) -> None:
        link = self._end.link
        if attempt is link.current:
            self._hold(attempt.phase is Phase.OPEN and attempt.deadline is None, "the channel of the link is open")
            return
        self._hold(attempt.role is (Role.OFFERER if attempt is link.dial else Role.ANSWERER), "we offer what we dial")
        self._hold(attempt.phase in LONGEST, "what is not open yet is under way")
        if attempt.phase is Phase.HELD:
            reason = link.dial is not None or (attempt.contested and link.current is not None)
            self._hold(reason, "an offer is held only for ours, or for an open link that it speaks against")
        if attempt.deadline is None:
            self._hold(attempt is link.dial and attempt.phase is Phase.SIGNALING, "whatever the driver does not bound has a deadline")
        else:
            self._hold(attempt.deadline <= self._end.device.now + LONGEST[attempt.phase], "no deadline is far away")

    def _check_deadline(self, deadline: float | None) -> None:
        link, now = self._end.link, self._end.device.now
        if link.current is not None:
            asks = deadline is not None and deadline <= now + link.timing.suspect_after
            self._hold(asks, "an open link is never left alone for long")
        if link.state is State.WAITING:
            self._hold(deadline is not None and deadline <= now + SLOW_REDIAL_CAP, "a dial is never put off for long")

    def check_timer(self) -> None:
        """How things are after a timer."""
        deadline = self._end.link.deadline
        self._hold(deadline is None or deadline > self._end.device.now, "a timer leaves nothing undone")
