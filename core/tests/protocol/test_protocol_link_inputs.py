"""An input that does not fit what a link is doing changes nothing, in every state and in every phase of every attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from hallway.model import PeerRecord, RefusalCode
from hallway.protocol.attempt import Phase
from hallway.protocol.effects import Refuse
from hallway.protocol.frames import Bye, Hello, Message, Messages, Ping, Pong
from hallway.protocol.link import Link
from hallway.protocol.states import State

RECORD = PeerRecord("mike", "p", endpoints=("http://10.0.0.2:8090",), epoch="e1")
HELLO = Hello("mike", "lima", "e1")
FRAMES = (HELLO, Bye(), Ping(1), Pong(1), Messages((Message("m1", 1),)))
STRANGE = 99
"""The id of no attempt."""


def make() -> Link:
    return Link("lima", "mike", lambda: 0.5)


def brought(link: Link, phase: Phase) -> Link:
    """The link with its first attempt in that phase."""
    if phase is not Phase.SIGNALING:
        link.answered(1, 0.1)
    if phase is Phase.GREETING:
        link.opened(1, 0.2, speaks_hallway=True)
    return link


def dialing(phase: Phase = Phase.SIGNALING) -> Link:
    link = make()
    link.seen(RECORD, 0.0)
    return brought(link, phase)


def waiting() -> Link:
    link = dialing()
    link.failed(1, "no answer", 0.3)
    return link


def held() -> Link:
    link = dialing()
    link.offered(0.2, epoch="e1")
    return link


def answering(phase: Phase) -> Link:
    link = make()
    link.offered(0.0, epoch="e1")
    return brought(link, phase)


def opened() -> Link:
    link = dialing(Phase.GREETING)
    link.received(1, HELLO, 0.3)
    link.admitted(1, "e1", 0.3)
    return link


def contested() -> Link:
    link = opened()
    link.offered(0.4, epoch="e2")
    return link


def replacing() -> Link:
    link = opened()
    attempt, _ = link.offered(0.4, epoch="e1")
    link.answered(attempt, 0.4)
    return link


def plain() -> Link:
    """Open to a device that does not speak hallway."""
    link = dialing(Phase.CONNECTING)
    link.opened(1, 0.2, speaks_hallway=False)
    return link


def suspected() -> Link:
    link = opened()
    link.timer(1.9)
    return link


def closed() -> Link:
    link = opened()
    link.close()
    return link


SITUATIONS: dict[str, tuple[State, Link]] = {
    "idle": (State.IDLE, make()),
    "waiting": (State.WAITING, waiting()),
    "dial is signaling": (State.DIALING, dialing()),
    "dial is connecting": (State.DIALING, dialing(Phase.CONNECTING)),
    "dial is greeting": (State.DIALING, dialing(Phase.GREETING)),
    "an offer is held": (State.DIALING, held()),
    "answer is signaling": (State.DIALING, answering(Phase.SIGNALING)),
    "answer is connecting": (State.DIALING, answering(Phase.CONNECTING)),
    "answer is greeting": (State.DIALING, answering(Phase.GREETING)),
    "open": (State.OPEN, opened()),
    "open to a plain device": (State.OPEN, plain()),
    "an offer contests the link": (State.OPEN, contested()),
    "an offer may replace the channel": (State.OPEN, replacing()),
    "suspect": (State.SUSPECT, suspected()),
    "closed": (State.CLOSED, closed()),
}
NOW = 2.0


Misfit = tuple[str, Callable[[Link], Any]]


def is_watched(link: Link) -> bool:
    """Whether the link is open to a hallway, so that its signs of life count."""
    return link.current is not None and link.current.epoch is not None


def attempt_misfits(attempt: int, phase: Phase | None, *, watched: bool) -> Iterator[Misfit]:
    """What does not fit an attempt in ``phase``; None for an id that no attempt has."""
    is_open = phase is Phase.OPEN and watched
    if phase is not Phase.SIGNALING:
        yield "answered", lambda link: link.answered(attempt, NOW, distant=True)
    if phase is not Phase.CONNECTING:
        yield "opened", lambda link: link.opened(attempt, NOW, speaks_hallway=True, distant=True)
        yield "opened plain", lambda link: link.opened(attempt, NOW, speaks_hallway=False)
    if phase is not Phase.GREETING:
        yield "admitted", lambda link: link.admitted(attempt, "e9", NOW)
    if phase is not Phase.GREETING and not is_open:
        yield from ((f"received {frame}", lambda link, frame=frame: link.received(attempt, frame, NOW)) for frame in FRAMES)
    if not is_open:
        yield "proved", lambda link: link.proved(attempt, NOW)
        yield "paused", lambda link: link.pause(attempt, NOW, paused=True)
        yield "resumed", lambda link: link.pause(attempt, NOW, paused=False)


def misfits(link: Link) -> Iterator[Misfit]:
    """Every input that does not fit what ``link`` is doing."""
    watched = is_watched(link)
    for attempt, phase in {STRANGE: None, **{each.id: each.phase for each in link.attempts()}}.items():
        yield from ((f"{what} {attempt}", misfit) for what, misfit in attempt_misfits(attempt, phase, watched=watched))
    yield "failed", lambda link: link.failed(STRANGE, "no reason", NOW)
    if not watched:
        yield "doubt", lambda link: link.doubt(NOW)
    if link.incoming is None:
        yield "vouched", lambda link: link.vouched(NOW)
    if link.state in (State.IDLE, State.CLOSED):
        yield "renew", lambda link: link.renew(NOW)
        yield "timer", lambda link: link.timer(NOW)
    if link.closed:
        yield "seen", lambda link: link.seen(PeerRecord("mike", "p", epoch="e7"), NOW, near=True)
        yield "close", lambda link: link.close()


CASES = [pytest.param(link, misfit, id=f"{name}: {what}") for name, (_, link) in SITUATIONS.items() for what, misfit in misfits(link)]


def test_every_state_has_a_situation():
    assert {link.state for _, link in SITUATIONS.values()} == set(State)
    for name, (state, link) in SITUATIONS.items():
        assert link.state is state, name
    assert len(CASES) > 150


@pytest.mark.parametrize(("link", "misfit"), CASES)
def test_an_input_that_does_not_fit_changes_nothing(link, misfit):
    before = deepcopy(link)
    assert before == link
    assert misfit(link) == []
    assert link == before


def test_an_offer_to_a_closed_link_is_refused_and_leaves_nothing_behind():
    link = closed()
    attempt, effects = link.offered(NOW, epoch="e1")
    assert effects == [Refuse(attempt, RefusalCode.CLOSING)]
    assert list(link.attempts()) == []
    assert link.deadline is None
