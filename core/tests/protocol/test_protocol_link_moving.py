"""Each rule of how a link changes its channel."""

from __future__ import annotations

from itertools import pairwise

import pytest
from one_link import TIMED_OUT, dialing, hello, make, moved, open_attempt, opened, pass_time, record

from hallway.protocol.attempt import ANSWER_PATIENCE
from hallway.protocol.effects import (
    Answer,
    Control,
    Dial,
    Down,
    DownReason,
    Drop,
    Effect,
    Faded,
    Greet,
    Moved,
    SendFrame,
    Up,
)
from hallway.protocol.fading import MOVE_PATIENCE
from hallway.protocol.frames import MOVED, Bye, Message, Messages, Ping, Pong, Request, Response
from hallway.protocol.link import Link
from hallway.protocol.states import State
from hallway.protocol.upgrade import LOOKS
from hallway.protocol.upkeep import NOTHING_TO_CARRY_ON


class TestMakeBeforeBreak:
    def test_a_second_channel_never_takes_the_open_one_down_before_it_is_open(self):
        link = opened()
        second, effects = link.offered(10.0, epoch="e1")
        assert effects == [Answer(second)]
        link.answered(second, 10.1)
        link.proved(1, 10.2)
        link.opened(second, 10.2, speaks_hallway=True)
        assert link.current is not None
        assert link.current.id == 1
        assert link.received(1, Ping(7), 10.3) == [SendFrame(1, Pong(7))]
        link.received(second, hello(moves=True), 10.4)
        assert link.admitted(second, "e1", 10.4) == moved(second)

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


class TestMoving:
    def test_what_the_peer_sent_before_it_moved_still_counts(self):
        link = opened()
        second, _ = link.offered(1.0, epoch="e1")
        open_attempt(link, second, now=1.1)
        assert link.passes(1)
        assert link.passes(second)
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
        link.received(1, Bye(MOVED), 1.2)
        link.pause(second, 1.2, paused=True)
        link.pause(1, 1.3, paused=False)
        assert {type(effect) for _, effect in pass_time(link, 20.0)} == {SendFrame}

    def moving(self) -> Link:
        """A link that moves from attempt 1 to attempt 2 at second 1."""
        link = opened()
        link.offered(1.0, epoch="e1")
        assert open_attempt(link, 2, now=1.0) == moved(2)
        return link

    def test_the_last_word_over_the_old_channel_ends_it(self):
        link = self.moving()
        assert link.received(1, Bye(MOVED), 1.2) == [Faded(1)]
        assert link.received(1, Messages((Message("m", 1),)), 1.3) == []

    def test_a_last_word_that_comes_before_we_move_ends_it_too(self):
        link = opened()
        link.offered(1.0, epoch="e1")
        assert link.received(1, Bye(MOVED), 1.0) == []
        assert link.state is State.OPEN
        assert open_attempt(link, 2, now=1.0) == [*moved(2), Faded(1)]

    def test_an_old_channel_that_ends_has_faded_and_harms_nobody(self):
        link = self.moving()
        assert link.failed(1, "closed", 1.2) == [Faded(1)]
        assert link.failed(1, "closed", 1.2) == []
        assert link.state is State.OPEN

    def test_an_old_channel_without_a_last_word_fades_in_time(self):
        faded = [(at, effect) for at, effect in pass_time(self.moving(), 6.0) if isinstance(effect, Faded)]
        assert faded == [(1.0 + MOVE_PATIENCE, Faded(1))]

    def test_while_the_old_channel_fades_nothing_is_read_so_that_silence_proves_nothing(self):
        effects = [effect for _, effect in pass_time(self.moving(), 0.9 + MOVE_PATIENCE)]
        assert {type(effect) for effect in effects} == {SendFrame}

    def test_what_an_application_has_not_taken_in_yet_is_not_late(self):
        link = self.moving()
        link.pause(1, 1.1, paused=True)
        assert not [effect for _, effect in pass_time(link, 60.0) if isinstance(effect, Faded)]
        link.pause(1, 60.0, paused=False)
        assert [at for at, effect in pass_time(link, 70.0) if isinstance(effect, Faded)] == [60.0 + MOVE_PATIENCE]

    def test_a_second_move_ends_the_first(self):
        link = self.moving()
        link.offered(1.5, epoch="e1")
        effects = open_attempt(link, 3, now=1.5)
        assert effects[:3] == [Faded(1), SendFrame(2, Bye(MOVED)), Moved(3)]
        assert link.received(2, Bye(MOVED), 1.6) == [Faded(2)]

    def test_a_link_that_is_lost_or_closes_meanwhile_waits_for_nothing(self):
        assert self.moving().failed(2, "gone", 1.2)[:2] == [Drop(2, "gone"), Faded(1)]
        assert self.moving().close()[0] == Faded(1)

    def test_a_peer_that_has_lost_the_link_carries_nothing_on(self):
        link = opened()
        link.offered(1.0, epoch="e1")
        link.answered(2, 1.0)
        assert link.opened(2, 1.0, speaks_hallway=True) == [Greet(2, moves=True)]
        link.received(2, hello(), 1.0)
        assert link.admitted(2, "e1", 1.0)[0] == Down(DownReason.ADDRESS_CHANGED)

    @pytest.mark.parametrize("ours", [True, False], ids=["dial", "incoming"])
    def test_a_channel_that_was_to_carry_on_a_link_that_is_lost_is_given_up(self, ours):
        link = opened() if not ours else TestBackToTheLan().distant()
        if ours:
            link.seen(record("e1", "http://10.0.0.7:8090"), 0.0, near=True)
            link.timer(0.3)
        else:
            link.offered(0.3, epoch="e1")
        link.answered(2, 0.3)
        link.opened(2, 0.3, speaks_hallway=True)
        effects = link.failed(1, "gone", 0.4)
        assert effects == [Drop(1, "gone"), Drop(2, NOTHING_TO_CARRY_ON), Down(DownReason.CLOSED)]
        assert link.state is State.WAITING

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
        assert open_attempt(link, second, now=1.1) == moved(second)


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
        assert open_attempt(link, 2, now=5.4) == moved(2)
        assert link.received(1, Bye(MOVED), 5.4) == [Faded(1)]
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
