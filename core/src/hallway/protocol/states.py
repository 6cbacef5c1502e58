"""The states of a link, and what leads from one to another: the table that the link goes by, and that the docs draw."""

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


class Transition(Enum):
    """What leads a link from one state to another."""

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


TABLE: dict[tuple[State, Transition], State] = {
    (State.IDLE, Transition.ATTEMPT): State.DIALING,
    (State.IDLE, Transition.PLAN): State.WAITING,
    (State.WAITING, Transition.ATTEMPT): State.DIALING,
    (State.WAITING, Transition.PLAN): State.WAITING,
    (State.WAITING, Transition.GIVE_UP): State.IDLE,
    (State.DIALING, Transition.ATTEMPT): State.DIALING,
    (State.DIALING, Transition.PLAN): State.DIALING,
    (State.DIALING, Transition.FAIL): State.WAITING,
    (State.DIALING, Transition.GIVE_UP): State.IDLE,
    (State.DIALING, Transition.LINK): State.OPEN,
    (State.OPEN, Transition.ATTEMPT): State.OPEN,
    (State.OPEN, Transition.LINK): State.OPEN,
    (State.OPEN, Transition.DOUBT): State.SUSPECT,
    (State.OPEN, Transition.LOSE): State.WAITING,
    (State.OPEN, Transition.LEAVE): State.IDLE,
    (State.SUSPECT, Transition.ATTEMPT): State.SUSPECT,
    (State.SUSPECT, Transition.LINK): State.OPEN,
    (State.SUSPECT, Transition.PROVE): State.OPEN,
    (State.SUSPECT, Transition.LOSE): State.WAITING,
    (State.SUSPECT, Transition.LEAVE): State.IDLE,
    **{(state, Transition.CLOSE): State.CLOSED for state in State},
}


class IllegalTransition(Exception):
    """A transition that the table does not have; nothing has changed."""


def after(state: State, transition: Transition) -> State:
    """The state that ``transition`` leads to.

    Raises:
        IllegalTransition: the table has no such transition from ``state``.

    """
    try:
        return TABLE[state, transition]
    except KeyError:
        raise IllegalTransition(f"{transition.value} while {state.value}") from None
