from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.model import PeerRecord
from hallway.protocol.last_good import CAPACITY, MAX_AGE, MAX_ENDPOINTS, LastGood, best

HERE, THERE = "http://10.0.0.7:8090", "http://10.0.0.8:8090"


def record(name: str = "tablet-2", *endpoints: str) -> PeerRecord:
    return PeerRecord(name, "hotel-1", "tablet", endpoints or (HERE,), None)


def test_the_address_over_which_messages_pass_is_the_one_to_remember():
    both = PeerRecord("tablet-2", "hotel-1", "tablet", (HERE, THERE), "e1")
    assert best(both, "10.0.0.8") == record("tablet-2", THERE)
    assert best(both, None) == record("tablet-2", HERE, THERE)
    assert best(both, "10.0.0.99").endpoints == (HERE, THERE)
    assert len(best(record("tablet-2", *(f"http://a:{port}" for port in range(1, 9))), None).endpoints) == MAX_ENDPOINTS


def test_what_is_remembered_can_be_written_and_read():
    known, again = LastGood("hotel-1"), LastGood("hotel-1")
    assert known.remember(record(), 1000.0)
    assert not known.remember(record(), 1001.0)
    assert known.remember(record("tablet-2", THERE), 1002.0)
    assert again.loads(known.dumps())
    assert again.records(1003.0) == [record("tablet-2", THERE)]


def test_a_long_time_without_change_is_written_down_now_and_then():
    known = LastGood("hotel-1")
    known.remember(record(), 0.0)
    assert known.remember(record(), 2 * MAX_AGE)


def test_old_addresses_are_not_tried_and_a_clock_set_back_makes_nothing_old():
    known = LastGood("hotel-1")
    known.remember(record(), 1_000_000.0)
    assert known.records(1_000_000.0 + MAX_AGE + 1) == []
    assert known.records(5.0) == [record()]


def test_the_peer_that_was_linked_longest_ago_makes_room():
    known = LastGood("hotel-1")
    for number in range(CAPACITY + 1):
        known.remember(record(f"t-{number}"), float(number))
        known.remember(record("t-0"), float(number))
    names = {each.device_id for each in known.records(1000.0)}
    assert len(names) == CAPACITY
    assert "t-0" in names
    assert "t-1" not in names


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"version": 2, "property": "hotel-1"}', '{"version": 1, "property": "hotel-2", "peers": []}']
)
def test_another_property_or_garbage_is_not_taken(text):
    known = LastGood("hotel-1")
    known.remember(record(), 1.0)
    assert not known.loads(text)
    assert known.records(2.0) == [record()]


def test_what_was_remembered_before_the_file_was_read_stays():
    written, known = LastGood("hotel-1"), LastGood("hotel-1")
    written.remember(record("tablet-2"), 1.0)
    written.remember(record("tablet-3", "http://10.0.0.3:8090"), 1.0)
    known.remember(record("tablet-3", "http://10.0.0.4:8090"), 2.0)
    assert known.loads(written.dumps())
    assert known.records(3.0) == [record("tablet-2"), record("tablet-3", "http://10.0.0.4:8090")]


@pytest.mark.parametrize("at", ["1" + 400 * "0", "-1", "null"], ids=["too large", "negative", "none"])
def test_a_time_that_no_clock_tells_makes_an_address_worthless(at):
    known = LastGood("hotel-1")
    assert known.loads(f'{{"version":1,"property":"hotel-1","peers":[{{"id":"a","at":{at},"endpoints":["http://10.0.0.3:1"]}}]}}')
    assert known.records(2.0) == []


@pytest.mark.fuzz
@given(
    st.binary(max_size=64)
    | st.text(max_size=64).map(
        lambda text: f'{{"version":1,"property":"hotel-1","peers":[{{"id":"a","at":1,"endpoints":["{text}"]}}]}}'.encode(errors="replace")
    )
)
def test_whatever_the_file_says_nothing_is_raised(data):
    known = LastGood("hotel-1")
    known.loads(data)
    assert all(each.property_id == "hotel-1" for each in known.records(2.0))
