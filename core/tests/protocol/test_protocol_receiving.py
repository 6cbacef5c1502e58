"""Each rule of a stream on its way in."""

from __future__ import annotations

import pytest

from hallway.errors import BadFrame
from hallway.protocol.parcels import Ack, Credit, Gap, Parcel, Parcels
from hallway.protocol.receiving import Commit, Receiving

WINDOW = Credit(10, 1000)


def sent(first: int, last: int, incarnation: int = 1) -> Parcels:
    return Parcels("", incarnation, tuple(Parcel(seq, bytes(16), None, b"x") for seq in range(first, last + 1)))


def commit(first: int, last: int, incarnation: int = 1) -> Commit:
    return Commit(incarnation, last, sent(first, last, incarnation).parcels)


def ack(upto: int, credit: Credit = WINDOW) -> Ack:
    return Ack("", 1, upto, credit)


def test_messages_are_acknowledged_once_they_are_in_the_inbox():
    receiving = Receiving("", WINDOW)
    (first,) = receiving.parcels(sent(1, 3))
    assert first == commit(1, 3)
    assert receiving.committed(first) == [ack(3)]


def test_what_is_known_already_is_no_news():
    receiving = Receiving("", WINDOW, 1, 5)
    assert receiving.parcels(sent(4, 5)) == []
    assert receiving.parcels(sent(4, 7)) == [commit(6, 7)]
    assert receiving.parcels(sent(6, 7)) == []


def test_a_hole_is_a_violation():
    receiving = Receiving("", WINDOW, 1, 5)
    with pytest.raises(BadFrame, match="message 6 is missing, and 7 is here"):
        receiving.parcels(sent(7, 8))
    with pytest.raises(BadFrame, match="message 6 is missing"):
        receiving.gap(Gap("", 1, 7, 9))


def test_a_gap_moves_the_position_and_brings_nothing():
    receiving = Receiving("", WINDOW, 1, 5)
    assert receiving.gap(Gap("", 1, 4, 8)) == [Commit(1, 8)]
    assert receiving.gap(Gap("", 1, 4, 8)) == []
    assert receiving.parcels(sent(9, 9)) == [commit(9, 9)]


def test_another_incarnation_begins_anew():
    receiving = Receiving("", WINDOW, 1, 5)
    (old,) = receiving.parcels(sent(6, 6))
    (new,) = receiving.parcels(sent(1, 2, incarnation=2))
    assert new == commit(1, 2, incarnation=2)
    assert receiving.committed(old) == []
    assert receiving.committed(new) == [Ack("", 2, 2, WINDOW)]


class TestCredit:
    def test_what_waits_for_the_application_takes_credit(self):
        receiving = Receiving("", WINDOW, 1, 5)
        receiving.waits(4, 400)
        assert receiving.credit == Credit(6, 600)
        receiving.waits(40, 4000)
        assert receiving.credit == Credit(0, 0)

    def test_without_bytes_there_is_no_credit_for_a_message_alone_either(self):
        receiving = Receiving("", WINDOW, 1, 5)
        receiving.waits(1, 1000)
        assert receiving.credit == Credit(0, 0)

    def test_a_sender_without_credit_is_told_when_there_is_some_again(self):
        receiving = Receiving("", WINDOW, 1, 5)
        assert receiving.waits(10, 0) == []
        assert receiving.grant() == Credit(0, 1000)
        assert receiving.waits(9, 0) == [ack(5, Credit(1, 1000))]
        assert receiving.waits(8, 0) == []
        assert receiving.waits(0, 0) == [ack(5)]

    def test_a_stream_of_which_nothing_came_yet_has_nothing_to_tell(self):
        receiving = Receiving("", WINDOW)
        receiving.waits(10, 0)
        assert receiving.waits(0, 0) == []

    def test_a_sender_that_goes_beyond_it_is_a_violation(self):
        receiving = Receiving("", WINDOW)
        (first,) = receiving.parcels(sent(1, 10))
        with pytest.raises(BadFrame, match="beyond its credit: 11 messages"):
            receiving.parcels(sent(11, 11))
        receiving.committed(first)
        assert receiving.parcels(sent(11, 20)) != []

    def test_a_sender_that_is_told_less_than_a_window_may_not_send_a_window(self):
        receiving = Receiving("", WINDOW)
        (first,) = receiving.parcels(sent(1, 10))
        receiving.waits(10, 0)
        assert receiving.committed(first) == [ack(10, Credit(0, 1000))]
        with pytest.raises(BadFrame, match="beyond its credit"):
            receiving.parcels(sent(11, 11))
        assert receiving.waits(5, 0) == [ack(10, Credit(5, 1000))]
        assert receiving.parcels(sent(11, 15)) != []

    def test_one_alone_may_have_any_size_while_there_is_credit_for_a_byte(self):
        receiving = Receiving("", WINDOW)
        (first,) = receiving.parcels(Parcels("", 1, (Parcel(1, bytes(16), None, b"x" * 5000),)))
        receiving.waits(1, 5000)
        assert receiving.committed(first) == [ack(1, Credit(0, 0))]
        with pytest.raises(BadFrame, match="beyond its credit"):
            receiving.parcels(sent(2, 2))
        assert receiving.waits(0, 0) == [ack(1)]
        assert receiving.parcels(sent(2, 2)) != []

    def test_another_incarnation_gives_no_more(self):
        receiving = Receiving("", WINDOW)
        receiving.parcels(sent(1, 10))
        with pytest.raises(BadFrame, match="beyond its credit"):
            receiving.parcels(sent(1, 1, incarnation=2))


def test_room_that_comes_back_in_small_steps_is_told():
    """Each step is less than what there was; it counts from what the sender was told last."""
    receiving = Receiving("", WINDOW, 1, 5)
    receiving.waits(9, 0)
    receiving.grant()
    told = [acks[0].credit.messages for waiting in range(8, -1, -1) if (acks := receiving.waits(waiting, 0))]
    assert told == [3, 7]


def test_a_channel_that_opens_is_told_what_its_hello_did_not_know():
    receiving = Receiving("", WINDOW)
    receiving.greet()
    assert receiving.acknowledgement() == []
    (commit,) = receiving.parcels(sent(1, 2))
    receiving.committed(commit)
    assert receiving.acknowledgement() == [ack(2, WINDOW)]
    receiving.greet()
    assert receiving.acknowledgement() == []
