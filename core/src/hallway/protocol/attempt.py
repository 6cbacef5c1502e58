"""One attempt to reach a peer, as a table: from the offer to the open link."""

from __future__ import annotations

from enum import Enum

import attrs

CONNECT_PATIENCE = 1.5
"""Seconds that a channel has to open after the answer; doubles with every attempt that got so far and failed (loss)."""
MAX_CONNECT_PATIENCE = 8.0
"""Seconds that it has at most, and from the start if it is to open over more than the LAN."""
DISTANT_PATIENCE = 4.0
"""Seconds that a channel over more than the LAN has while there is a way to the peer over the LAN too, which is to be tried again soon."""
GREETING_PATIENCE = 5.0
"""Seconds that a peer has to send its HELLO."""
HOLD_PATIENCE = 8.0
"""Seconds that an offer is held while ours is under way."""
ANSWER_PATIENCE = 9.0
"""Seconds that an answered offer has to become a channel: little more than who made it has, since it may have come from who recorded it."""


@attrs.define
class Patience:
    """What was learnt about how long a channel takes to open: by one link, whose path may lose packets, or by all of a device.

    On a machine that is too busy none opens in time, and who tries again at once makes it busier.
    """

    seconds: float = CONNECT_PATIENCE

    def missed(self) -> None:
        """A channel did not open in time."""
        self.seconds = min(2 * self.seconds, MAX_CONNECT_PATIENCE)

    def kept(self) -> None:
        """One did."""
        self.seconds = max(self.seconds / 2, CONNECT_PATIENCE)


class Role(Enum):
    """Which end of offer and answer we are (JSEP)."""

    OFFERER = "offerer"
    ANSWERER = "answerer"


class Phase(Enum):
    """How far an attempt has come."""

    HELD = "held"
    """Their offer waits for the outcome of ours."""
    SIGNALING = "signaling"
    """Descriptions are under way."""
    CONNECTING = "connecting"
    """Both descriptions are known; the channel is not open yet."""
    GREETING = "greeting"
    """The channel is open; HELLO has gone out and theirs is awaited."""
    OPEN = "open"
    """The channel is the link's."""
    ENDED = "ended"
    """It is over; nothing is left of it."""


class Step(Enum):
    """What moves an attempt on."""

    RELEASED = "released"
    """Their offer is to be answered now."""
    ANSWERED = "answered"
    """The answer was sent, or has come."""
    OPENED = "opened"
    """The channel is open to a hallway."""
    OPENED_PLAIN = "opened-plain"
    """The channel is open to a device that does not speak hallway: no HELLO."""
    GREETED = "greeted"
    """The guard has admitted the peer."""
    END = "end"
    """It has failed, was given up, or its channel has ended."""


TRANSITIONS: dict[tuple[Phase, Step], Phase] = {
    (Phase.HELD, Step.RELEASED): Phase.SIGNALING,
    (Phase.SIGNALING, Step.ANSWERED): Phase.CONNECTING,
    (Phase.CONNECTING, Step.OPENED): Phase.GREETING,
    (Phase.CONNECTING, Step.OPENED_PLAIN): Phase.OPEN,
    (Phase.GREETING, Step.GREETED): Phase.OPEN,
    (Phase.HELD, Step.END): Phase.ENDED,
    (Phase.SIGNALING, Step.END): Phase.ENDED,
    (Phase.CONNECTING, Step.END): Phase.ENDED,
    (Phase.GREETING, Step.END): Phase.ENDED,
    (Phase.OPEN, Step.END): Phase.ENDED,
}


class IllegalStep(Exception):
    """A step that the table does not have; nothing has changed."""


@attrs.define
class Attempt:
    """``deadline`` (seconds of the caller's clock) bounds the present phase; None where something else does."""

    id: int
    role: Role
    phase: Phase = Phase.SIGNALING
    deadline: float | None = None
    epoch: str | None = None
    stranger: bool = False
    """Whether their offer came from another host than the peer is known to be at."""
    contested: bool = False
    """Whether their offer names another epoch than the open link, and nothing else says that the peer has restarted."""
    distant: bool = False
    """Whether its channel opens over more than the LAN."""
    moves: bool = False
    """Whether its channel is to carry on the open link: we say so in our HELLO, and the peer has not denied it in its own."""
    left: bool = False
    """Whether the peer has moved from its channel."""

    def apply(self, step: Step, deadline: float | None = None) -> None:
        """Take one step.

        Raises:
            IllegalStep: the table has no such step from here.

        """
        phase = TRANSITIONS.get((self.phase, step))
        if phase is None:
            raise IllegalStep(f"{step.value} while {self.phase.value}")
        self.phase = phase
        self.deadline = deadline
