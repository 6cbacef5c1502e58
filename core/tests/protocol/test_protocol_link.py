"""Each rule of how a link comes to be: dials, offers, glare, patience. How they work together is in test_protocol_link_rig.py."""

from __future__ import annotations

import pytest
from one_link import TIMED_OUT, dialing, hello, make, open_attempt, opened, record, told

from hallway.model import RefusalCode
from hallway.protocol.attempt import CONNECT_PATIENCE, DISTANT_PATIENCE, MAX_CONNECT_PATIENCE, Patience, Phase
from hallway.protocol.effects import (
    Admit,
    Answer,
    Dial,
    Drop,
    Greet,
    Refuse,
    Up,
)
from hallway.protocol.link import Link
from hallway.protocol.redial import PATIENT_REDIALS, PATIENT_SECONDS, REDIAL_CAP, SLOW_REDIAL_CAP


class TestDialing:
    def test_the_finder_dials_at_once(self):
        assert make().seen(record(), 5.0) == [Dial(1, record())]

    def test_the_higher_id_dials_at_once_too(self):
        assert make("zulu").seen(record(), 5.0) == [Dial(1, record())]

    def test_news_of_a_peer_that_is_being_dialed_starts_no_second_dial(self):
        link = dialing()
        assert link.seen(record("e1", "http://a:1"), 0.1) == []
        assert link.record == record("e1", "http://a:1")

    def test_a_link_opens_when_both_have_said_hello(self):
        link = dialing()
        assert link.answered(1, 0.1) == []
        assert link.opened(1, 0.2, speaks_hallway=True) == [Greet(1)]
        assert link.received(1, hello(), 0.3) == [Admit(1, hello())]
        assert link.admitted(1, "e1", 0.5) == [Up(1, 0.5)]

    def test_ms_count_from_the_first_sight_and_not_from_the_last_dial(self):
        link = dialing()
        link.failed(1, "refused", 1.0)
        assert link.timer(2.0) == [Dial(2, record())]
        assert open_attempt(link, 2, now=3.0) == [Up(2, 3.0)]

    def test_a_device_that_does_not_speak_hallway_is_connected_when_its_channel_opens(self):
        link = dialing()
        link.answered(1, 0.1)
        assert link.opened(1, 0.2, speaks_hallway=False) == [Up(1, 0.2)]
        assert link.deadline is None

    def test_failed_dials_are_tried_again_later_and_later_up_to_the_cap(self):
        link, now, waits = dialing(), 0.0, []
        for attempt in range(1, 6):
            link.failed(attempt, "refused", now)
            assert link.deadline is not None
            waits.append(round(link.deadline - now, 6))
            now = link.deadline
            assert link.timer(now) == [Dial(attempt + 1, record())]
        assert waits == [0.3, 0.6, 1.2, REDIAL_CAP, REDIAL_CAP]

    def test_an_open_link_begins_again_with_the_shortest_wait(self):
        link = dialing()
        for attempt in (1, 2, 3):
            link.failed(attempt, "refused", 10.0 * attempt)
            link.timer(10.0 * attempt + 9)
        open_attempt(link, 4, now=40.0)
        link.failed(4, "lost", 50.0)
        link.timer(51.0)
        link.failed(5, "refused", 51.0)
        assert link.deadline == pytest.approx(51.3)

    def test_redials_use_what_is_known_last(self):
        link = dialing()
        link.seen(record("e1", "http://new:1"), 0.1)
        link.failed(1, "refused", 0.2)
        assert link.timer(2.0) == [Dial(2, record("e1", "http://new:1"))]

    def test_news_do_not_wait_for_the_redial(self):
        link = dialing()
        link.failed(1, "refused", 0.2)
        link.timer(0.5)
        link.failed(2, "refused", 1.01)
        assert link.seen(record("e2"), 1.02) == [Dial(3, record("e2"))]
        assert link.deadline is None

    def test_news_at_a_great_rate_make_no_dials_at_that_rate(self):
        link = dialing()
        link.failed(1, "refused", 0.01)
        dials = [effect for number in range(100) for effect in link.seen(record(f"e{number}"), 0.02 + number / 1000)]
        assert dials == []
        assert link.deadline == pytest.approx(0.3)

    def test_repeated_sight_does_not_hurry_the_redial(self):
        link = dialing()
        link.failed(1, "refused", 0.2)
        assert link.seen(record(), 0.21) == []
        assert link.deadline == pytest.approx(0.3)

    def test_a_peer_out_of_sight_is_not_dialed_but_what_is_under_way_goes_on(self):
        link = dialing()
        assert link.gone() == []
        assert not link.forgettable
        assert link.failed(1, "refused", 1.0) != []
        assert link.deadline is None
        assert link.forgettable


class TestGlare:
    @pytest.mark.parametrize(("own_id", "peer_id"), [("lima", "mike"), ("Lima", "mike"), ("lima", "MIKE"), ("LIMA", "Mike")])
    def test_the_lower_id_holds_the_other_offer_whatever_the_case(self, own_id, peer_id):
        link = make(own_id, peer_id)
        link.seen(record(), 0.0)
        assert link.offered(0.1, epoch="e1") == (2, [])
        assert link.dial is not None

    @pytest.mark.parametrize(("own_id", "peer_id"), [("november", "mike"), ("November", "mike"), ("november", "MIKE")])
    def test_the_higher_id_drops_its_own_and_answers(self, own_id, peer_id):
        link = make(own_id, peer_id)
        link.seen(record(), 0.0)
        attempt, effects = link.offered(0.1, epoch="e1")
        assert effects == [Drop(1, "the peer's offer stands"), Answer(attempt)]
        assert link.dial is None

    def test_a_held_offer_is_refused_once_ours_has_worked(self):
        link = dialing()
        held, _ = link.offered(0.1, epoch="e1")
        assert open_attempt(link, 1, now=0.2) == [Refuse(held, RefusalCode.GLARE), Up(1, 0.2)]

    def test_a_held_offer_is_answered_once_ours_has_failed(self):
        link = dialing()
        held, _ = link.offered(0.1, epoch="e1")
        assert link.failed(1, "no route", 1.0) == [*told(Phase.SIGNALING, 1, "no route"), Answer(held)]
        assert open_attempt(link, held, now=1.1) == [Up(held, 1.1)]

    def test_a_held_offer_that_is_withdrawn_leaves_ours_alone(self):
        link = dialing()
        held, _ = link.offered(0.1, epoch="e1")
        link.failed(held, "withdrawn", 0.2)
        assert open_attempt(link, 1, now=0.3) == [Up(1, 0.3)]

    @pytest.mark.parametrize("own_id", ["lima", "november"])
    def test_an_offer_of_the_seeds_kind_is_always_answered(self, own_id):
        link = dialing(own_id)
        assert link.offered(0.1, epoch=None) == (2, [Drop(1, "the peer's offer stands"), Answer(2)])

    def test_after_a_failure_the_lower_id_answers_and_keeps_its_own_offer(self):
        link = dialing()
        link.failed(1, "no route", 1.0)
        link.timer(2.0)
        assert link.offered(2.1, epoch="e1") == (3, [Answer(3)])
        assert link.dial is not None

    def test_of_two_offers_under_way_the_channel_that_opens_first_is_the_link(self):
        link = dialing()
        link.failed(1, "no route", 1.0)
        link.timer(2.0)
        link.offered(2.1, epoch="e1")
        assert open_attempt(link, 3, now=2.2) == [Drop(2, "another channel opened first"), Up(3, 2.2)]

    def test_an_offer_waits_while_our_own_channel_is_being_greeted(self):
        link = dialing("november")
        link.answered(1, 0.1)
        link.opened(1, 0.2, speaks_hallway=True)
        assert link.offered(0.25, epoch="e1") == (2, [])
        link.received(1, hello(to="november"), 0.3)
        assert link.admitted(1, "e1", 0.3) == [Refuse(2, RefusalCode.GLARE), Up(1, 0.3)]

    def test_two_ends_that_both_failed_before_do_not_drop_each_others_offers(self):
        lower, higher = dialing("lima"), Link("mike", "lima", lambda: 1.0)
        higher.seen(record(), 0.0)
        for link in (lower, higher):
            link.failed(1, "no route", 1.0)
            link.timer(2.0)
        lower.offered(2.1, epoch="e1")
        _, effects = higher.offered(2.1, epoch="e1")
        assert effects == [Drop(2, "the peer's offer stands"), Answer(3)]
        assert lower.dial is not None


class TestIncoming:
    def test_an_offer_from_a_peer_that_nobody_has_seen_is_answered(self):
        link = make()
        assert link.offered(1.0, epoch="e1") == (1, [Answer(1)])
        assert open_attempt(link, 1, now=1.5) == [Up(1, 0.5)]

    def test_the_newest_offer_replaces_one_that_is_being_answered(self):
        link = make()
        link.offered(1.0, epoch="e1")
        assert link.offered(1.1, epoch="e1") == (2, [Drop(1, "a newer offer came"), Answer(2)])

    def test_the_newest_offer_replaces_a_held_one(self):
        link = dialing()
        link.offered(0.1, epoch="e1")
        assert link.offered(0.2, epoch="e1") == (3, [Refuse(2, RefusalCode.GLARE)])

    def test_what_comes_of_a_replaced_offer_is_ignored(self):
        link = make()
        link.offered(1.0, epoch="e1")
        link.offered(1.1, epoch="e1")
        assert link.opened(1, 1.2, speaks_hallway=True) == []
        assert link.received(1, hello(), 1.2) == []
        assert link.admitted(1, "e1", 1.2) == []
        assert link.failed(1, "ended", 1.2) == []
        assert link.incoming is not None

    def test_a_peer_in_sight_is_not_dialed_while_its_offer_is_answered(self):
        link = make()
        link.offered(1.0, epoch="e1")
        assert link.seen(record(), 1.1) == []

    def test_an_answer_ends_the_wait_for_a_redial(self):
        link = dialing()
        link.failed(1, "refused", 0.0)
        link.offered(0.1, epoch="e1")
        assert link.timer(0.4) == []
        assert link.dial is None

    def test_a_dead_answer_does_not_keep_a_failed_dial_from_being_tried_again(self):
        link = dialing()
        link.failed(1, "no route", 0.0)
        link.timer(1.0)
        link.offered(1.1, epoch="e1")
        link.answered(3, 1.2)
        link.failed(2, "no route", 1.3)
        assert link.deadline is not None
        assert link.timer(link.deadline) == [Dial(4, record())]

    def test_an_offer_that_fails_is_followed_by_our_own(self):
        link = make()
        link.offered(1.0, epoch="e1")
        link.seen(record(), 1.0)
        link.failed(1, "bad description", 1.1)
        assert link.timer(2.0) == [Dial(2, record())]


class TestPatience:
    def test_it_doubles_with_each_channel_that_did_not_open_up_to_its_bound(self):
        link, now, waits = dialing(), 0.0, []
        for attempt in range(1, 7):
            link.answered(attempt, now)
            assert link.deadline is not None
            waits.append(round(link.deadline - now, 6))
            assert link.timer(link.deadline) == told(Phase.CONNECTING, attempt, TIMED_OUT)
            now = link.deadline
            assert link.timer(now) == [Dial(attempt + 1, record())]
        assert waits == [CONNECT_PATIENCE, 3.0, 6.0, MAX_CONNECT_PATIENCE, MAX_CONNECT_PATIENCE, MAX_CONNECT_PATIENCE]

    def test_an_offer_that_nobody_answered_says_nothing_about_loss(self):
        link = dialing()
        link.failed(1, "no answer", 1.0)
        link.timer(2.0)
        link.answered(2, 2.0)
        assert link.deadline == 2.0 + CONNECT_PATIENCE

    def test_an_open_link_forgets_it(self):
        link = dialing()
        link.answered(1, 0.0)
        link.timer(5.0)
        link.timer(6.0)
        open_attempt(link, 2, now=6.0)
        link.failed(2, "lost", 7.0)
        link.timer(8.0)
        link.answered(3, 8.0)
        assert link.deadline == 8.0 + CONNECT_PATIENCE


class TestSharedPatience:
    def test_what_one_link_learns_is_of_use_to_all_links_of_the_device(self):
        shared = Patience()
        one = Link("lima", "mike", lambda: 1.0, shared_patience=shared)
        one.seen(record(), 0.0)
        one.answered(1, 0.0)
        one.failed(1, TIMED_OUT, 1.5)
        other = Link("lima", "november", lambda: 1.0, shared_patience=shared)
        attempt, _ = other.offered(2.0, epoch="e1")
        other.failed(attempt, "gone", 2.0)
        other.seen(record(), 2.0)
        assert other.dial is not None
        other.answered(other.dial.id, 3.0)
        assert other.deadline == 3.0 + 2 * CONNECT_PATIENCE


class TestDistantAttempts:
    def test_a_channel_over_more_than_the_lan_has_its_whole_patience_from_the_start(self):
        link = dialing()
        link.answered(1, 1.0, distant=True)
        assert link.deadline == 1.0 + MAX_CONNECT_PATIENCE

    def test_it_has_less_while_there_is_a_way_over_the_lan_too(self):
        link = make()
        link.seen(record(), 0.0, near=True)
        link.answered(1, 1.0, distant=True)
        assert link.deadline == 1.0 + DISTANT_PATIENCE

    def test_an_offer_that_waits_far_away_is_given_up_when_the_peer_comes_into_sight_on_the_lan(self):
        link = dialing()
        near = record("e1", "http://10.0.0.7:8090")
        assert link.seen(near, 2.0, near=True) == [Drop(1, "the peer has come into sight on the LAN"), Dial(2, near)]

    def test_one_that_has_its_answer_is_not(self):
        link = dialing()
        link.answered(1, 1.0, distant=True)
        assert link.seen(record("e1", "http://10.0.0.7:8090"), 2.0, near=True) == []


class TestPeersThatDoNotAnswer:
    def gaps(self, link: Link, start: float, count: int) -> list[float]:
        """Seconds between dials that all fail at once."""
        gaps, now = [], start
        for _ in range(count):
            assert link.dial is not None
            link.failed(link.dial.id, "refused", now)
            assert link.deadline is not None
            gaps.append(round(link.deadline - now, 6))
            now = link.deadline
            link.timer(now)
        return gaps

    def test_one_that_was_never_linked_is_dialed_less_often_after_a_while(self):
        gaps = self.gaps(dialing(), 0.0, PATIENT_REDIALS + 3)
        assert max(gaps[:PATIENT_REDIALS]) == REDIAL_CAP
        assert gaps[-1] == SLOW_REDIAL_CAP

    def test_one_that_was_linked_is_dialed_at_the_same_rate_for_minutes(self):
        link = opened()
        link.failed(1, "lost", 1.0)
        link.timer(1.2)
        gaps = self.gaps(link, 1.2, int(PATIENT_SECONDS / REDIAL_CAP) + 10)
        assert max(gaps[: int(PATIENT_SECONDS / REDIAL_CAP) - 1]) == REDIAL_CAP
        assert gaps[-1] == SLOW_REDIAL_CAP
