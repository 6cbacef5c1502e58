"""Each rule of an open link: what comes over its channel, its signs of life, and its end."""

from __future__ import annotations

import pytest
from one_link import TIMED_OUT, TIMING, dialing, hello, make, open_attempt, opened, pass_time, record, told

from hallway.model import RefusalCode
from hallway.protocol.attempt import GREETING_PATIENCE, Phase
from hallway.protocol.effects import (
    Admit,
    Answer,
    Control,
    Dial,
    Down,
    DownReason,
    Drop,
    Failed,
    Refuse,
    SendFrame,
    Suspected,
    Up,
)
from hallway.protocol.frames import Bye, Message, Messages, Ping, Pong, Request, Response
from hallway.protocol.heartbeat import SUSPICION
from hallway.protocol.link import Link
from hallway.protocol.redial import REDIAL_CAP
from hallway.protocol.states import State


class TestGreeting:
    def greeting(self) -> Link:
        link = dialing()
        link.answered(1, 0.1)
        link.opened(1, 0.2, speaks_hallway=True)
        return link

    @pytest.mark.parametrize("frame", [Ping(1), Pong(1), Bye(), Messages((Message("1", 2),))], ids=lambda frame: type(frame).__name__)
    @pytest.mark.attack("A10")
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

    @pytest.mark.attack("A10")
    def test_a_peer_that_never_says_hello_is_dropped(self):
        link = self.greeting()
        assert link.deadline == pytest.approx(0.2 + GREETING_PATIENCE)
        assert link.timer(0.2 + GREETING_PATIENCE) == told(Phase.GREETING, 1, TIMED_OUT)

    def test_a_guards_objection_ends_the_attempt_and_no_link_was_up(self):
        link = self.greeting()
        link.received(1, hello(), 0.3)
        assert link.failed(1, "revoked", 0.3, DownReason.PROTOCOL) == told(Phase.GREETING, 1, "revoked")


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

    def test_messages_pass_over_the_open_channel_and_no_other(self):
        link = dialing()
        assert not link.passes(1)
        open_attempt(link, 1)
        assert link.passes(1)
        assert not link.passes(2)
        link.failed(1, "lost", 3.0)
        assert not link.passes(1)

    def test_messages_of_a_peer_without_frames_are_none_of_the_link(self):
        assert not opened(epoch=None).passes(1)

    def test_hearing_the_peer_does_not_prove_that_it_hears_us(self):
        link = opened()
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

    @pytest.mark.attack("A10")
    def test_a_second_hello_breaks_the_protocol(self):
        assert opened().received(1, hello(), 3.0) == [Drop(1, "a second HELLO"), Down(DownReason.PROTOCOL)]

    @pytest.mark.attack("A21")
    def test_who_broke_the_protocol_gets_no_new_link_for_a_second(self):
        link = opened()
        link.failed(1, "a forged frame", 3.0, DownReason.PROTOCOL)
        assert link.offered(3.9, epoch="e1")[1] == [Refuse(2, RefusalCode.RATE_LIMITED)]
        assert link.deadline is not None
        assert 4.0 <= link.deadline <= 4.1
        assert link.offered(4.0, epoch="e1")[1] == [Answer(3)]

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
