"""The states of a link, and what leads from one to another: the table that the link turns by, and that the docs draw."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """What a link is doing."""

    IDLE = "idle"
    """Nothing is tried: the peer is not in sight, or it said bye."""
    DIALING = "dialing"
    """At least one attempt is under way, ours or the peer's, and no channel is open."""
    WAITING = "waiting"
    """The next dial is planned."""
    OPEN = "open"
    """A channel is open, and what we send arrives. A second attempt may be under way, to take its place."""
    SUSPECT = "suspect"
    """A channel is open, and for a while there was no proof that what we send arrives."""
    CLOSED = "closed"
    """This device is going."""


class Turn(Enum):
    """What turns a link from one state to another."""

    ATTEMPT = "attempt"
    """An attempt begins."""
    PLAN = "plan"
    """A dial is planned, since none may be made now."""
    FAIL = "fail"
    """The last attempt has failed, and the next dial is planned."""
    GIVE_UP = "give up"
    """Nothing is under way any more, and nothing is planned."""
    LINK = "link"
    """An attempt's channel is open and the peer admitted; it takes the place of the one before, if there is one."""
    DOUBT = "doubt"
    """There was no proof of life for too long."""
    PROVE = "prove"
    """Something that we sent has arrived."""
    LOSE = "lose"
    """The open channel has ended, and the next dial is planned."""
    LEAVE = "leave"
    """The open channel has ended, and the peer is not to be dialed."""
    CLOSE = "close"
    """This device says bye and goes."""


TABLE: dict[tuple[State, Turn], State] = {
    (State.IDLE, Turn.ATTEMPT): State.DIALING,
    (State.IDLE, Turn.PLAN): State.WAITING,
    (State.WAITING, Turn.ATTEMPT): State.DIALING,
    (State.WAITING, Turn.PLAN): State.WAITING,
    (State.WAITING, Turn.GIVE_UP): State.IDLE,
    (State.DIALING, Turn.ATTEMPT): State.DIALING,
    (State.DIALING, Turn.PLAN): State.DIALING,
    (State.DIALING, Turn.FAIL): State.WAITING,
    (State.DIALING, Turn.GIVE_UP): State.IDLE,
    (State.DIALING, Turn.LINK): State.OPEN,
    (State.OPEN, Turn.ATTEMPT): State.OPEN,
    (State.OPEN, Turn.LINK): State.OPEN,
    (State.OPEN, Turn.DOUBT): State.SUSPECT,
    (State.OPEN, Turn.LOSE): State.WAITING,
    (State.OPEN, Turn.LEAVE): State.IDLE,
    (State.SUSPECT, Turn.ATTEMPT): State.SUSPECT,
    (State.SUSPECT, Turn.LINK): State.OPEN,
    (State.SUSPECT, Turn.PROVE): State.OPEN,
    (State.SUSPECT, Turn.LOSE): State.WAITING,
    (State.SUSPECT, Turn.LEAVE): State.IDLE,
    **{(state, Turn.CLOSE): State.CLOSED for state in State},
}


class IllegalTurn(Exception):
    """A turn that the table does not have; nothing has changed."""


def turned(state: State, turn: Turn) -> State:
    """The state that ``turn`` leads to.

    Raises:
        IllegalTurn: the table has no such turn from ``state``.

    """
    try:
        return TABLE[state, turn]
    except KeyError:
        raise IllegalTurn(f"{turn.value} while {state.value}") from None
