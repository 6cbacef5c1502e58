"""Each rule of a stream on its way out."""

from __future__ import annotations

import pytest

from hallway.errors import BadFrame
from hallway.protocol.parcels import Ack, Credit, Gap, Parcel, Parcels, encode, size_of
from hallway.protocol.sending import FRAME_BYTES, MAX_CREDIT, Forget, Load, Renew, Sending, Transmit

PLENTY = Credit(256, 4 * 1024 * 1024)


def parcel(seq: int, size: int = 10) -> Parcel:
    return Parcel(seq, seq.to_bytes(16, "big"), None, b"x" * size)


def parcels(first: int, last: int, size: int = 10) -> list[Parcel]:
    return [parcel(seq, size) for seq in range(first, last + 1)]


def frame(first: int, last: int, size: int = 10) -> Transmit:
    return Transmit(Parcels("", 1, tuple(parcels(first, last, size))))


def ack(upto: int, credit: Credit = PLENTY, ranges: tuple[tuple[int, int], ...] = ()) -> Ack:
    return Ack("", 1, upto, credit, ranges)


def linked(last: int = 0, credit: Credit = PLENTY) -> Sending:
    sending = Sending("", 1, last)
    sending.up(last, credit)
    return sending


def test_what_is_stored_while_all_before_it_was_sent_goes_at_once_in_one_frame():
    assert linked().placed(parcels(1, 3)) == [frame(1, 3)]


def test_what_the_store_has_numbered_by_itself_is_loaded():
    sending = linked()
    assert sending.placed(parcels(1, 1)) == [frame(1, 1)]
    assert sending.grown(3) == [Load(1, 1, Credit(255, PLENTY.bytes - size_of(parcels(1, 1))))]
    assert sending.grown(3) == []
    assert sending.loaded(1, parcels(2, 3)) == [frame(2, 3)]
    assert sending.grown(2) == []


def test_a_number_that_the_store_gave_between_two_new_messages_is_no_gap():
    sending = linked()
    (load,) = sending.placed([parcel(1), parcel(3)])
    assert isinstance(load, Load)
    assert sending.grown(2) == []
    assert sending.loaded(load.session, parcels(1, 3)) == [frame(1, 3)]


def test_what_is_stored_while_there_is_no_channel_is_loaded_when_there_is_one():
    sending = Sending("", 1)
    assert sending.placed(parcels(1, 2)) == []
    (load,) = sending.up(0, PLENTY)
    assert load == Load(load.session, 0, PLENTY)
    assert sending.loaded(load.session, parcels(1, 2)) == [frame(1, 2)]


def test_after_a_hello_the_stream_goes_on_behind_what_the_receiver_has():
    sending = Sending("", 1, 9)
    forget, load = sending.up(4, PLENTY)
    assert forget == Forget(4)
    assert isinstance(load, Load)
    assert load.after == 4


def test_what_is_stored_during_a_load_is_loaded_after_it():
    sending = Sending("", 1, 2)
    (load,) = sending.up(0, PLENTY)
    assert sending.placed([parcel(3)]) == []
    sent, again = sending.loaded(load.session, parcels(1, 2))
    assert sent == frame(1, 2)
    assert again == Load(load.session, 2, Credit(254, PLENTY.bytes - size_of(parcels(1, 2))))


def test_an_empty_load_makes_a_gap_of_what_was_given_before_it_and_of_nothing_newer():
    sending = Sending("", 1, 2)
    (load,) = sending.up(0, PLENTY)
    sending.placed([parcel(3)])
    gap, again = sending.loaded(load.session, [])
    assert gap == Transmit(Gap("", 1, 1, 2))
    assert isinstance(again, Load)
    assert again.after == 2


def test_numbers_that_are_missing_are_gaps():
    sending = Sending("", 1, 9)
    (load,) = sending.up(0, PLENTY)
    effects = sending.loaded(load.session, [parcel(2), parcel(3), parcel(9)])
    assert effects == [Transmit(Gap("", 1, 1, 1)), frame(2, 3), Transmit(Gap("", 1, 4, 8)), frame(9, 9)]


def test_a_load_of_an_earlier_channel_changes_nothing():
    sending = Sending("", 1, 2)
    (load,) = sending.up(0, PLENTY)
    sending.down()
    assert sending.loaded(load.session, parcels(1, 2)) == []
    (again,) = sending.up(0, PLENTY)
    assert sending.loaded(load.session, parcels(1, 2)) == []
    assert sending.loaded(again.session, parcels(1, 2)) == [frame(1, 2)]


class TestCredit:
    def test_no_more_messages_go_than_the_receiver_lets(self):
        sending = linked(credit=Credit(2, PLENTY.bytes))
        assert sending.placed(parcels(1, 5)) == [frame(1, 2)]
        forget, load = sending.acknowledged(ack(1, Credit(2, PLENTY.bytes)))
        assert forget == Forget(1)
        assert load == Load(load.session, 2, Credit(1, PLENTY.bytes - size_of(parcels(1, 1))))

    def test_no_more_bytes_go_than_the_receiver_lets_but_for_one_alone(self):
        sending = linked(credit=Credit(10, 100))
        assert sending.placed(parcels(1, 2, 500)) == [frame(1, 1, 500)]

    def test_without_credit_nothing_goes_until_there_is_some(self):
        sending = linked(credit=Credit(0, 0))
        assert sending.placed([parcel(1)]) == []
        (load,) = sending.acknowledged(ack(0))
        assert isinstance(load, Load)

    def test_a_receiver_that_knows_an_incarnation_before_can_tell_that_there_is_room(self):
        sending = linked(credit=Credit(0, 0))
        assert sending.placed([parcel(1)]) == []
        assert sending.acknowledged(Ack("", 2, 700, PLENTY)) == [Load(1, 0, PLENTY)]
        assert sending.acked == 0

    def test_credit_that_overflows_is_taken_for_the_most_there_can_be(self):
        sending = linked(10_000, Credit(2**62, 2**62))
        assert sending.placed(parcels(10_001, 20_000)) != []
        assert len(sending._flight) == MAX_CREDIT.messages


class TestFrames:
    def test_a_frame_holds_so_many_bytes_and_a_large_message_has_one_of_its_own(self):
        effects = linked().placed([*parcels(1, 4, FRAME_BYTES // 3 - 200), parcel(5, 3 * FRAME_BYTES), parcel(6)])
        assert [len(effect.frame.parcels) for effect in effects] == [3, 1, 1, 1]


class TestAcks:
    def test_an_ack_that_says_nothing_new_forgets_nothing(self):
        sending = linked()
        sending.placed(parcels(1, 2))
        assert sending.acknowledged(ack(2)) == [Forget(2)]
        assert sending.acknowledged(ack(2)) == []

    def test_ranges_beyond_are_forgotten_too(self):
        sending = linked()
        sending.placed(parcels(1, 9))
        assert sending.acknowledged(ack(2, ranges=((4, 5),))) == [Forget(2, ((4, 5),))]

    @pytest.mark.parametrize("wrong", [ack(4), ack(2, ranges=((4, 4),))], ids=["upto", "range"])
    def test_one_for_what_was_never_sent_is_a_violation(self, wrong):
        sending = linked()
        sending.placed(parcels(1, 3))
        with pytest.raises(BadFrame, match="acknowledges message 4 of 3"):
            sending.acknowledged(wrong)

    def test_one_for_less_than_before_was_late_and_changes_nothing(self):
        """After a move the new channel's HELLO may tell more than what still comes over the old one."""
        sending = linked()
        sending.placed(parcels(1, 3))
        sending.acknowledged(ack(2))
        assert sending.acknowledged(ack(1, credit=Credit(0, 0))) == []
        assert sending.placed(parcels(4, 4)) == [frame(4, 4)]

    def test_one_of_another_incarnation_changes_nothing(self):
        sending = linked()
        sending.placed(parcels(1, 3))
        assert sending.acknowledged(Ack("", 2, 3, PLENTY)) == []

    def test_what_came_over_an_earlier_channel_may_be_acknowledged_over_this_one(self):
        sending = linked()
        sending.placed(parcels(1, 3))
        sending.down()
        (load,) = sending.up(0, PLENTY)
        assert sending.acknowledged(ack(2)) == [Forget(2)]
        assert sending.loaded(load.session, parcels(1, 3)) == [frame(3, 3)]


class TestStoresThatAreOldCopies:
    def test_a_receiver_that_has_more_than_was_ever_given_makes_a_new_incarnation(self):
        sending = Sending("", 1, 5)
        assert sending.up(7, PLENTY) == [Renew()]
        (load,) = sending.renewed(2, 3, PLENTY)
        assert load == Load(load.session, 0, PLENTY)
        (sent,) = sending.loaded(load.session, parcels(1, 3))
        assert sent == Transmit(Parcels("", 2, tuple(parcels(1, 3))))

    def test_a_receiver_that_has_less_than_it_had_is_told_of_the_gap(self):
        sending = linked()
        sending.placed(parcels(1, 4))
        sending.acknowledged(ack(4))
        sending.down()
        sending.placed([parcel(5)])
        (load,) = sending.up(2, PLENTY)
        assert sending.loaded(load.session, [parcel(5)]) == [Transmit(Gap("", 1, 3, 4)), frame(5, 5)]


def test_a_message_for_which_the_credit_has_no_room_is_not_loaded_again_before_there_is_more():
    credit = Credit(10, 200)
    sending = linked(credit=credit)
    assert sending.placed([parcel(1, 100), parcel(2, 100)]) == [frame(1, 1, 100)]
    assert sending.placed([parcel(3)]) == []
    (load,) = sending.acknowledged(ack(1, credit))[1:]
    assert load == Load(load.session, 1, credit)
    assert sending.loaded(load.session, parcels(2, 2, 100))[0] == frame(2, 2, 100)


def test_one_message_alone_may_be_larger_than_the_credit():
    sending = linked(credit=Credit(10, 200))
    assert sending.placed([parcel(1, 5000)]) == [frame(1, 1, 5000)]


def test_a_message_that_the_receiver_never_takes_is_left_to_be_loaded_and_those_behind_it_go_on():
    sending = Sending("", 1)
    sending.up(0, PLENTY, max_frame=1000)
    assert not sending.fits(1000)
    (load,) = sending.placed([parcel(1, 1000), parcel(2)])
    assert isinstance(load, Load)
    assert sending.loaded(load.session, [parcel(2)]) == [Transmit(Gap("", 1, 1, 1)), frame(2, 2)]


def test_frames_have_no_more_bytes_than_the_channel_takes():
    sending = Sending("", 1)
    sending.up(0, PLENTY, max_frame=1000)
    sent = sending.placed(parcels(1, 20, 200))
    assert len(sent) == 10
    assert max(len(encode(effect.frame)) for effect in sent) <= 1000
