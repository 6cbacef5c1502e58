"""Rules of a link's life that seeds of the link rig asked for."""

from __future__ import annotations

from hallway.model import PeerRecord
from hallway.protocol.effects import Answer, Dial, Drop, Up
from hallway.protocol.frames import Hello
from hallway.protocol.link import Link

RECORD = PeerRecord("mike", "p", endpoints=("http://10.0.0.2:8090",), epoch="e1")


def make() -> Link:
    """A link that wins a glare against the peer, without jitter."""
    return Link("lima", "mike", lambda: 0.0)


def test_a_held_offer_is_answered_when_our_own_is_given_up_because_the_network_has_changed():
    link = make()
    link.seen(RECORD, 0.0)
    held, _ = link.offered(0.1, epoch="e1")
    assert link.renew(0.2) == [Drop(1, "this device's network has changed"), Answer(held)]


def open_distant(link: Link, now: float) -> None:
    link.answered(1, now, distant=True)
    link.opened(1, now, speaks_hallway=True)
    link.received(1, Hello("mike", "lima", "e1"), now)
    assert link.admitted(1, "e1", now) == [Up(1, now)]


def test_a_distant_link_looks_for_the_lan_that_was_in_sight_before_it_opened():
    link = make()
    link.seen(RECORD, 0.0, near=True)
    open_distant(link, 0.5)
    assert link.timer(1.0) == [Dial(2, RECORD, near=True)]


def test_a_distant_link_does_not_look_for_a_lan_that_is_not_in_sight_any_more():
    link = make()
    link.seen(RECORD, 0.0, near=True)
    open_distant(link, 0.5)
    link.seen(PeerRecord("mike", "p", endpoints=("cloud:mike",), epoch="e1"), 0.5)
    assert not [effect for effect in link.timer(1.0) if isinstance(effect, Dial)]
