"""Each rule of a link's life by itself. How they work together is in test_protocol_link_rig.py."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hallway.model import PeerRecord, RefusalCode
from hallway.protocol.attempt import Phase
from hallway.protocol.effects import (
    Admit,
    Answer,
    Contested,
    Control,
    Deliver,
    Dial,
    Down,
    DownReason,
    Drop,
    Effect,
    Failed,
    Greet,
    Moved,
    Refuse,
    SendFrame,
    Suspected,
    Up,
)
from hallway.protocol.frames import Bye, Hello, Message, Messages, Ping, Pong, Request, Response
from hallway.protocol.heartbeat import SUSPICION, Timing
from hallway.protocol.link import (
    ANSWER_PATIENCE,
    CONNECT_PATIENCE,
    DISTANT_PATIENCE,
    GREETING_PATIENCE,
    MAX_CONNECT_PATIENCE,
    VERDICT_MARGIN,
    Link,
)
from hallway.protocol.redial import PATIENT_REDIALS, PATIENT_SECONDS, REDIAL_CAP, SLOW_REDIAL_CAP
from hallway.protocol.states import State
from hallway.protocol.upgrade import LOOKS

TIMING = Timing()
TIMED_OUT = "the channel did not open in time"


def record(epoch: str | None = "e1", *endpoints: str) -> PeerRecord:
    return PeerRecord("mike", "p", endpoints=endpoints, epoch=epoch)


def hello(epoch: str = "e1", sender: str = "mike", to: str = "lima", versions: tuple[int, ...] = (1,)) -> Hello:
    return Hello(sender, to, epoch, versions)


def make(own_id: str = "lima", peer_id: str = "mike") -> Link:
    """A link that wins a glare against the peer, unless told otherwise; its jitter is at its longest."""
    return Link(own_id, peer_id, lambda: 1.0)


def dialing(own_id: str = "lima") -> Link:
    link = make(own_id)
    assert link.seen(record(), 0.0) == [Dial(1, record())]
    return link


def opened(epoch: str | None = "e1") -> Link:
    """A link whose dial, attempt 1, is open since second 0."""
    link = dialing()
    open_attempt(link, 1, epoch)
    return link


def told(phase: Phase, attempt: int, reason: str) -> list[Effect]:
    """The effects of an attempt that failed in ``phase``."""
    return [Failed(attempt, phase, reason), Drop(attempt, reason)]


def pass_time(link: Link, until: float) -> list[tuple[float, Effect]]:
    """What a link does by itself until then, and when."""
    done: list[tuple[float, Effect]] = []
    while link.deadline is not None and link.deadline <= until:
        now = link.deadline
        done += [(now, effect) for effect in link.timer(now)]
    return done


def open_attempt(link: Link, attempt: int, epoch: str | None = "e1", now: float = 0.0) -> list[object]:
    """Take an attempt whose offer was sent or answered to its open link; returns the last effects."""
    link.answered(attempt, now)
    effects = link.opened(attempt, now, speaks_hallway=epoch is not None)
    if epoch is None:
        return effects
    assert effects == [Greet(attempt)]
    peer = hello(epoch, to=link.own_id)
    assert link.received(attempt, peer, now) == [Admit(attempt, peer)]
    return link.admitted(attempt, epoch, now)


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


class TestMakeBeforeBreak:
    def test_a_second_channel_never_takes_the_open_one_down_before_it_is_open(self):
        link = opened()
        second, effects = link.offered(10.0, epoch="e1")
        assert effects == [Answer(second)]
        link.answered(second, 10.1)
        link.opened(second, 10.2, speaks_hallway=True)
        link.proved(1, 10.2)
        assert link.current is not None
        assert link.current.id == 1
        assert link.received(1, Ping(7), 10.3) == [SendFrame(1, Pong(7))]
        link.received(second, hello(), 10.4)
        assert link.admitted(second, "e1", 10.4) == [Moved(second), Drop(1, "the link has moved", graceful=True)]

    @pytest.mark.parametrize("reason", ["ended", "no HELLO"])
    def test_a_second_channel_that_fails_changes_nothing(self, reason):
        link = opened()
        second, _ = link.offered(10.0, epoch="e1")
        link.answered(second, 10.1)
        assert link.failed(second, reason, 10.2) == [Drop(second, reason)]
        assert link.current is not None
        assert link.timer(10.3)[-1] == SendFrame(1, Ping(1))
        assert link.dial is None

    def test_a_second_channel_that_hangs_is_dropped_in_time(self):
        link = opened()
        second, _ = link.offered(1.0, epoch="e1")
        link.received(1, Pong(1), ANSWER_PATIENCE + 0.9)
        assert link.timer(1.0 + ANSWER_PATIENCE) == [Drop(second, TIMED_OUT)]

    def test_a_peer_that_has_restarted_goes_down_and_up(self):
        link = opened("e1")
        second, _ = link.offered(10.0, epoch="e1")
        assert open_attempt(link, second, "e2", now=10.5) == [
            Down(DownReason.RESTARTED),
            Drop(1, "a newer channel replaced it"),
            Up(second, 0.5),
        ]

    def test_a_restarted_peer_whose_record_has_no_epoch_is_believed_at_once(self):
        link = make()
        link.seen(record(None), 0.0)
        open_attempt(link, 1, "e1")
        second, effects = link.offered(10.0, epoch="e2")
        assert effects == [Answer(second)]
        assert Down(DownReason.RESTARTED) in open_attempt(link, second, "e2", now=10.5)

    def test_the_end_of_a_replaced_channel_is_nobodys_business(self):
        link = opened()
        second, _ = link.offered(10.0, epoch="e1")
        open_attempt(link, second, now=10.0)
        assert link.failed(1, "ended", 11.0) == []
        assert link.received(1, Bye(), 11.0) == []


class TestGreeting:
    def greeting(self) -> Link:
        link = dialing()
        link.answered(1, 0.1)
        link.opened(1, 0.2, speaks_hallway=True)
        return link

    @pytest.mark.parametrize("frame", [Ping(1), Pong(1), Bye(), Messages((Message("1", 2),))], ids=lambda frame: type(frame).__name__)
    def test_nothing_comes_before_hello(self, frame):
        assert self.greeting().received(1, frame, 0.3) == told(Phase.GREETING, 1, "the peer's first frame was no HELLO")

    @pytest.mark.parametrize("frame", [hello(sender="other"), hello(to="other"), hello(sender="lima", to="mike"), hello(versions=(2, 3))])
    def test_a_hello_of_or_for_somebody_else_or_in_another_version_ends_the_attempt(self, frame):
        link = self.greeting()
        failed, drop = link.received(1, frame, 0.3)
        assert isinstance(failed, Failed)
        assert isinstance(drop, Drop)
        assert link.dial is None
        assert link.deadline == pytest.approx(0.4)

    def test_names_in_a_hello_are_compared_without_case_and_one_common_version_is_enough(self):
        frame = hello(sender="MIKE", to="Lima", versions=(9, 1))
        assert self.greeting().received(1, frame, 0.3) == [Admit(1, frame)]

    def test_a_peer_that_never_says_hello_is_dropped(self):
        link = self.greeting()
        assert link.deadline == pytest.approx(0.2 + GREETING_PATIENCE)
        assert link.timer(0.2 + GREETING_PATIENCE) == told(Phase.GREETING, 1, TIMED_OUT)

    def test_a_guards_objection_ends_the_attempt_and_no_link_was_up(self):
        link = self.greeting()
        link.received(1, hello(), 0.3)
        assert link.failed(1, "revoked", 0.3, DownReason.PROTOCOL) == told(Phase.GREETING, 1, "revoked")


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


class TestHeartbeat:
    def test_a_silent_peer_is_asked_suspected_and_then_down(self):
        link = opened()
        done = pass_time(link, TIMING.lost_after)
        assert done[:2] == [(TIMING.ping_after, SendFrame(1, Ping(1))), (1.5, Suspected())]
        assert done[-2:] == [(5.0, Drop(1, "the peer has fallen silent")), (5.0, Down(DownReason.TIMEOUT))]
        assert {type(effect) for _, effect in done[2:-2]} == {SendFrame}
        assert link.state is State.WAITING
        assert link.deadline == pytest.approx(TIMING.lost_after + 0.1)
        assert link.timer(link.deadline) == [Dial(2, record())]

    def test_hearing_the_peer_does_not_prove_that_it_hears_us(self):
        link = opened()
        assert link.received(1, Messages((Message("1", 2),)), 4.9) == [Deliver((Message("1", 2),))]
        assert link.received(1, Ping(3), 4.9) == [SendFrame(1, Pong(3))]
        assert Down(DownReason.TIMEOUT) in [effect for _, effect in pass_time(link, 6.0)]

    def test_the_answer_to_a_ping_is_a_sign_of_life(self):
        link = opened()
        pass_time(link, 4.8)
        assert link.state is State.SUSPECT
        assert link.received(1, Pong(1), 4.9) == []
        assert link.state is State.OPEN
        assert link.timer(TIMING.lost_after) == []

    def test_bytes_that_the_peer_acknowledged_are_a_sign_of_life(self):
        link = opened()
        pass_time(link, 4.8)
        assert link.proved(1, 4.9) == []
        assert link.state is State.OPEN
        assert link.timer(TIMING.lost_after) == []

    def test_what_another_channel_acknowledged_proves_nothing(self):
        link = opened()
        pass_time(link, 4.8)
        assert link.proved(7, 4.9) == []
        assert link.state is State.SUSPECT

    def test_a_new_epoch_in_sight_puts_an_open_link_to_the_proof(self):
        link = opened()
        assert link.seen(record("e2"), 0.5) == []
        assert link.timer(0.5) == [SendFrame(1, Ping(1))]
        assert [effect for _, effect in pass_time(link, 0.5 + SUSPICION)][-2:] == [
            Drop(1, "the peer has fallen silent"),
            Down(DownReason.TIMEOUT),
        ]

    @pytest.mark.parametrize("seen", [record("e1", "http://a:1"), record(None)], ids=["same epoch", "no epoch"])
    def test_other_news_of_an_open_peer_prove_nothing(self, seen):
        link = opened()
        link.seen(seen, 0.5)
        assert link.deadline == TIMING.ping_after

    def test_while_nothing_is_read_silence_proves_nothing_and_the_peer_still_hears_from_us(self):
        link = opened()
        link.pause(1, 1.0, paused=True)
        sent = [effect for _, effect in pass_time(link, 20.0)]
        assert sent == [SendFrame(1, Ping(number)) for number in range(1, len(sent) + 1)]
        assert len(sent) >= 10
        link.pause(1, 20.5, paused=False)
        assert link.deadline == pytest.approx(20.5 + TIMING.ping_after)

    def test_a_peer_that_does_not_speak_hallway_is_never_asked(self):
        link = opened(epoch=None)
        assert link.timer(1000.0) == []
        assert link.deadline is None


class TestControl:
    @pytest.mark.parametrize("frame", [Request(1, "kind", {"a": 1}), Response(1, [2])], ids=["request", "response"])
    def test_frames_for_the_bus_are_handed_on(self, frame):
        assert opened().received(1, frame, 1.0) == [Control(frame)]

    def test_those_of_a_channel_that_was_replaced_are_not(self):
        link = opened()
        link.doubt(0.9)
        second, _ = link.offered(1.0, epoch="e1")
        open_attempt(link, second, now=1.1)
        assert link.received(1, Request(1, "kind", None), 1.2) == []


class TestDown:
    def test_after_bye_the_peer_is_not_dialed_whatever_is_heard_of_that_life_of_it(self):
        link = opened()
        assert link.received(1, Bye(), 3.0) == [Drop(1, "the peer said bye"), Down(DownReason.BYE)]
        assert link.deadline is None
        assert link.seen(record(), 4.0) == []
        assert link.seen(record("e1", "http://a:1"), 4.5) == []
        link.gone()
        assert link.seen(record(), 5.0) == []

    def test_after_bye_a_look_for_the_lan_that_was_under_way_is_the_last_dial(self):
        link = make()
        link.seen(record(), 0.0, near=True)
        link.answered(1, 0.0, distant=True)
        link.opened(1, 0.0, speaks_hallway=True)
        link.admitted(1, "e1", 0.0)
        assert pass_time(link, 0.5) == [(0.3, Dial(2, record(), near=True))]
        link.received(1, Bye(), 0.6)
        link.failed(2, "refused", 0.7)
        assert link.state is State.IDLE
        assert link.deadline is None

    def test_after_bye_a_new_epoch_is_dialed_at_once(self):
        link = opened()
        link.received(1, Bye(), 3.0)
        assert link.seen(record("e2"), 5.0) == [Dial(2, record("e2"))]
        assert open_attempt(link, 2, "e2", now=5.5) == [Up(2, 0.5)]

    def test_after_bye_a_peer_whose_record_has_no_epoch_is_dialed_until_it_is_back(self):
        link = make()
        link.seen(record(None), 0.0)
        open_attempt(link, 1, "e1")
        link.received(1, Bye(), 3.0)
        assert link.deadline is not None
        assert link.timer(link.deadline) == [Dial(2, record(None))]
        link.failed(2, "refused", 4.0)
        assert link.deadline is not None
        assert link.deadline <= 4.0 + REDIAL_CAP

    def test_a_bye_that_comes_after_the_sight_of_the_next_life_does_not_hide_it(self):
        link = opened("e1")
        link.seen(record("e2"), 3.0)
        link.received(1, Bye(), 3.1)
        assert link.deadline is not None
        assert link.timer(link.deadline) == [Dial(2, record("e2"))]

    def test_a_lost_channel_is_redialed_within_a_tenth_of_a_second(self):
        link = opened()
        assert link.failed(1, "ended", 3.0) == [Drop(1, "ended"), Down(DownReason.CLOSED)]
        assert link.deadline == pytest.approx(3.1)
        assert link.timer(3.1) == [Dial(2, record())]
        assert open_attempt(link, 2, now=3.5) == [Up(2, 0.5)]

    def test_a_lost_peer_that_is_out_of_sight_is_waited_for(self):
        link = opened()
        link.gone()
        link.failed(1, "ended", 3.0)
        assert link.deadline is None
        assert link.forgettable

    def test_a_second_hello_breaks_the_protocol(self):
        assert opened().received(1, hello(), 3.0) == [Drop(1, "a second HELLO"), Down(DownReason.PROTOCOL)]

    def test_time_is_counted_from_the_loss_and_not_from_an_offer_that_failed_before(self):
        link = opened()
        second, _ = link.offered(10.0, epoch="e1")
        link.failed(second, "withdrawn", 10.1)
        link.received(1, Bye(), 20.0)
        link.gone()
        link.seen(record("e2"), 30.0)
        assert open_attempt(link, 3, "e2", now=31.0) == [Up(3, 1.0)]


class TestClose:
    def test_it_says_bye_once_and_lets_what_was_sent_arrive(self):
        link = opened()
        assert link.close() == [
            SendFrame(1, Bye()),
            Down(DownReason.CLOSED),
            Drop(1, "this device closes", graceful=True),
        ]
        assert link.close() == []

    def test_no_frame_goes_to_a_peer_that_does_not_speak_hallway(self):
        assert opened(epoch=None).close() == [Down(DownReason.CLOSED), Drop(1, "this device closes", graceful=True)]

    def test_every_attempt_ends(self):
        link = opened()
        link.offered(1.0, epoch="e1")
        assert link.close()[-1] == Drop(2, "this device closes")
        link = dialing()
        link.offered(1.0, epoch="e1")
        assert link.close() == [Drop(1, "this device closes"), Refuse(2, RefusalCode.CLOSING)]

    @pytest.mark.parametrize("made", [make, dialing, opened], ids=["new", "dialing", "open"])
    def test_nothing_happens_after_it(self, made):
        link = made()
        link.close()
        attempt, effects = link.offered(1.0, epoch="e1")
        assert effects == [Refuse(attempt, RefusalCode.CLOSING)]
        for attempt in range(4):
            assert link.answered(attempt, 1.0) == []
            assert link.opened(attempt, 1.0, speaks_hallway=True) == []
            assert link.received(attempt, hello(), 1.0) == []
            assert link.admitted(attempt, "e1", 1.0) == []
            assert link.failed(attempt, "ended", 1.0) == []
        assert link.seen(record("e9"), 1.0) == []
        assert link.timer(1000.0) == []
        assert link.pause(1, 1.0, paused=False) == []
        assert link.deadline is None


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


class TestMoving:
    def test_what_the_peer_sent_before_it_moved_still_counts(self):
        link = opened()
        second, _ = link.offered(1.0, epoch="e1")
        open_attempt(link, second, now=1.1)
        assert link.received(1, Messages((Message("m", 1),)), 1.2) == [Deliver((Message("m", 1),))]
        assert link.received(1, Ping(1), 1.2) == []

    @pytest.mark.parametrize("frame", [Request(1, "kind", None), Response(1)], ids=["request", "response"])
    def test_what_the_peer_asked_or_answered_before_it_moved_still_counts(self, frame):
        link = opened()
        second, _ = link.offered(1.0, epoch="e1")
        open_attempt(link, second, now=1.1)
        assert link.received(1, frame, 1.2) == [Control(frame)]

    def test_a_pause_of_the_old_channel_does_not_end_that_of_the_new_one(self):
        link = opened()
        second, _ = link.offered(1.0, epoch="e1")
        open_attempt(link, second, now=1.1)
        link.pause(second, 1.2, paused=True)
        link.pause(1, 1.3, paused=False)
        assert {type(effect) for _, effect in pass_time(link, 20.0)} == {SendFrame}

    def test_a_channel_that_was_in_doubt_is_replaced_with_a_gap_that_is_told(self):
        link = opened()
        link.doubt(1.0)
        second, _ = link.offered(1.05, epoch="e1")
        assert open_attempt(link, second, now=1.1) == [
            Down(DownReason.ADDRESS_CHANGED),
            Drop(1, "a newer channel replaced it"),
            Up(second, pytest.approx(0.05)),
        ]

    def test_a_doubt_that_was_answered_leaves_no_gap(self):
        link = opened()
        link.doubt(1.0)
        link.received(1, Pong(1), 1.01)
        second, _ = link.offered(1.05, epoch="e1")
        assert open_attempt(link, second, now=1.1)[0] == Moved(second)


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


class TestRenewal:
    """This device has slept, or its addresses have changed."""

    def test_an_open_link_is_put_to_the_proof(self):
        link = opened()
        assert link.renew(0.5) == []
        assert link.timer(0.5) == [SendFrame(1, Ping(1))]

    def test_a_dial_under_way_is_given_up_and_made_anew(self):
        link = dialing()
        assert link.renew(3.0) == [Drop(1, "this device's network has changed")]
        assert link.state is State.WAITING
        assert pass_time(link, 3.2) == [(pytest.approx(3.1), Dial(2, record()))]

    def test_a_redial_does_not_wait_any_longer(self):
        link = dialing()
        for attempt in range(1, 6):
            link.failed(attempt, "refused", 10.0 * attempt)
            link.timer(10.0 * attempt + 5)
        link.failed(6, "refused", 60.0)
        link.renew(60.1)
        assert link.deadline == pytest.approx(60.2)

    def test_a_peer_that_said_bye_is_left_alone(self):
        link = opened()
        link.received(1, Bye(), 3.0)
        assert link.renew(4.0) == []
        assert link.deadline is None

    def test_a_channel_whose_address_is_gone_is_lost_at_once(self):
        link = opened()
        reason = "this device has lost the address that its channel used"
        assert link.failed(1, reason, 3.0, DownReason.ADDRESS_CHANGED) == [Drop(1, reason), Down(DownReason.ADDRESS_CHANGED)]
        assert link.deadline == pytest.approx(3.1)


class TestBackToTheLan:
    """A link over a distant path."""

    def distant(self) -> Link:
        link = dialing()
        link.answered(1, 0.0, distant=True)
        link.opened(1, 0.0, speaks_hallway=True, distant=True)
        link.received(1, hello(), 0.0)
        link.admitted(1, "e1", 0.0)
        return link

    def proving(self, link: Link, until: float) -> list[tuple[float, Effect]]:
        """Time passes, and every ping is answered."""
        done = []
        while link.deadline is not None and link.deadline <= until:
            now = link.deadline
            done += [(now, effect) for effect in link.timer(now) if not isinstance(effect, SendFrame)]
            if link.current is not None:
                link.proved(link.current.id, now)
        return done

    def test_a_way_over_the_lan_is_tried_soon_and_over_the_lan_only(self):
        link = self.distant()
        link.seen(record("e1", "http://10.0.0.7:8090"), 5.0, near=True)
        assert self.proving(link, 5.4) == [(pytest.approx(5.3), Dial(2, record("e1", "http://10.0.0.7:8090"), near=True))]
        assert open_attempt(link, 2, now=5.4) == [Moved(2), Drop(1, "the link has moved", graceful=True)]
        assert not self.proving(link, 100.0)

    def test_a_look_that_fails_costs_nothing_and_is_repeated_later_and_later(self):
        link = self.distant()
        link.seen(record(), 5.0, near=True)
        dials = []
        while len(dials) < 6:
            for at, effect in self.proving(link, 400.0):
                assert isinstance(effect, Dial | Drop)
                if isinstance(effect, Dial):
                    dials.append(at)
                    assert link.failed(effect.attempt, "no route", at) == [Drop(effect.attempt, "no route")]
                    break
            assert link.state is State.OPEN
        gaps = [later - earlier for earlier, later in pairwise(dials)]
        assert gaps[0] == pytest.approx(LOOKS[0])
        assert max(gaps) < LOOKS[1] + 0.001

    @pytest.mark.parametrize("near", [False, True])
    def test_a_link_on_the_lan_and_one_without_a_way_there_stay_where_they_are(self, near):
        link = self.distant() if not near else opened()
        link.seen(record("e1", "http://10.0.0.7:8090"), 5.0, near=near)
        assert self.proving(link, 300.0) == []

    def test_what_counts_is_the_path_and_not_the_carrier(self):
        link = dialing()
        link.answered(1, 0.0, distant=True)
        link.opened(1, 0.0, speaks_hallway=True, distant=False)
        link.received(1, hello(), 0.0)
        link.admitted(1, "e1", 0.0)
        link.seen(record("e1", "http://10.0.0.7:8090"), 5.0, near=True)
        assert self.proving(link, 300.0) == []
