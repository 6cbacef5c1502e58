"""Each rule against who offers under the name of a peer whose link is open."""

from __future__ import annotations

import pytest
from one_link import dialing, make, opened, pass_time, record

from hallway.model import RefusalCode
from hallway.protocol.effects import (
    Answer,
    Contested,
    Dial,
    Down,
    DownReason,
    Drop,
    Refuse,
    SendFrame,
)
from hallway.protocol.frames import Ping, Pong
from hallway.protocol.heartbeat import SUSPICION
from hallway.protocol.link import VERDICT_MARGIN


class TestStrangers:
    """An offer from another host than those where the peer is known to be."""

    @pytest.mark.parametrize("epoch", ["e9", None], ids=["another epoch", "no hallway"])
    def test_it_is_refused_while_the_link_is_open(self, epoch):
        link = opened()
        assert link.offered(1.0, epoch=epoch, stranger=True) == (2, [Refuse(2, RefusalCode.FORBIDDEN)])

    def test_one_that_names_the_epoch_of_the_open_link_puts_the_link_to_the_proof(self):
        link = opened()
        assert link.offered(1.0, epoch="e1", stranger=True) == (2, [])
        assert link.timer(1.0) == [SendFrame(1, Ping(1))]

    def test_it_is_refused_if_the_open_link_lives(self):
        link = opened()
        link.offered(1.0, epoch="e1", stranger=True)
        link.received(1, Pong(1), 1.1)
        effects = [effect for _, effect in pass_time(link, 1.0 + SUSPICION + VERDICT_MARGIN)]
        assert Refuse(2, RefusalCode.FORBIDDEN) in effects
        assert link.current is not None

    def test_it_is_answered_once_the_open_link_is_dead(self):
        link = opened()
        link.offered(1.0, epoch="e1", stranger=True)
        effects = [effect for _, effect in pass_time(link, 1.0 + SUSPICION)]
        assert effects[-2:] == [Down(DownReason.TIMEOUT), Answer(2)]

    def test_it_is_answered_at_once_when_its_address_is_vouched_for(self):
        link = opened()
        link.offered(1.0, epoch="e1", stranger=True)
        assert link.vouched(1.1) == [Answer(2)]

    def test_it_is_answered_beside_our_own_dial_and_drops_nothing(self):
        link = dialing("zulu")
        assert link.offered(0.1, epoch="e1", stranger=True) == (2, [Answer(2)])
        assert link.dial is not None

    def test_it_does_not_replace_an_offer_of_the_known_host(self):
        link = make()
        link.offered(0.1, epoch="e1")
        assert link.offered(0.2, epoch="e1", stranger=True) == (2, [Refuse(2, RefusalCode.FORBIDDEN)])

    def test_the_known_host_replaces_it(self):
        link = make()
        link.offered(0.1, epoch="e1", stranger=True)
        assert link.offered(0.2, epoch="e1") == (2, [Drop(1, "a newer offer came"), Answer(2)])

    def test_it_keeps_us_from_no_dial(self):
        link = make()
        link.offered(0.1, epoch="e1", stranger=True)
        assert link.seen(record(), 0.2) == [Dial(2, record())]

    def test_it_puts_off_no_dial_that_is_planned(self):
        link = dialing()
        link.failed(1, "no", 0.1)
        planned = link.deadline
        for number in range(2, 12):
            link.offered(0.1, epoch="e1", stranger=True)
            link.failed(number, "withdrawn", 0.1)
        assert link.deadline == planned


class TestNamesakes:
    """An offer of another epoch under the id of a peer whose link is open and whose epoch discovery confirms."""

    def test_it_is_held_while_the_open_link_is_asked_for_life(self):
        link = opened()
        assert link.offered(1.0, epoch="e9") == (2, [])
        assert link.timer(1.0) == [SendFrame(1, Ping(1))]

    def test_it_is_refused_and_told_once_the_open_link_has_shown_life(self):
        link = opened()
        link.offered(1.0, epoch="e9")
        link.timer(1.0)
        link.received(1, Pong(1), 1.1)
        effects = [effect for _, effect in pass_time(link, 1.0 + SUSPICION + VERDICT_MARGIN)]
        assert effects[-2:] == [Refuse(2, RefusalCode.FORBIDDEN), Contested()]
        assert link.current is not None

    @pytest.mark.parametrize("alive", [True, False], ids=["alive", "not asked yet"])
    def test_one_that_is_withdrawn_is_told_only_if_the_open_link_has_shown_life(self, alive):
        link = opened()
        held, _ = link.offered(1.0, epoch="e9")
        if alive:
            link.received(1, Pong(1), 1.1)
        assert (Contested() in link.failed(held, "withdrawn", 1.2)) is alive

    @pytest.mark.parametrize("alive", [True, False], ids=["alive", "not asked yet"])
    def test_one_that_is_repeated_is_told_only_if_the_open_link_has_shown_life(self, alive):
        link = opened()
        link.offered(1.0, epoch="e9")
        if alive:
            link.received(1, Pong(1), 1.1)
        assert (Contested() in link.offered(1.2, epoch="e9")[1]) is alive

    def test_it_is_answered_once_the_open_link_has_shown_none(self):
        link = opened()
        link.offered(1.0, epoch="e9")
        effects = [effect for _, effect in pass_time(link, 1.0 + SUSPICION)]
        assert effects[-2:] == [Down(DownReason.TIMEOUT), Answer(2)]

    def test_it_is_answered_at_once_when_discovery_sees_that_epoch(self):
        link = opened()
        link.offered(1.0, epoch="e9")
        assert link.seen(record("e9"), 1.2) == [Answer(2)]

    def test_it_is_answered_at_once_when_discovery_has_seen_that_epoch(self):
        link = opened()
        link.seen(record("e9"), 0.9)
        assert link.offered(1.0, epoch="e9") == (2, [Answer(2)])
