"""Rules of a link's life that seeds of the link rig asked for."""

from __future__ import annotations

from hallway.model import PeerRecord
from hallway.protocol.effects import Answer, Drop
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
