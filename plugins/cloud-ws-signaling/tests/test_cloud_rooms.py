"""Rooms without a network: connections are strings, time is a number."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.protocol.bucket import Bucket
from hallway_cloud_ws_signaling import _wire as wire
from hallway_cloud_ws_signaling._limits import MAX_MESSAGE, Limits
from hallway_cloud_ws_signaling._messages import Ending, Join, Member, WireError
from hallway_cloud_ws_signaling._rooms import Rooms


def told(sends):
    return [(send.to, json.loads(send.text)) for send in sends]


def request(to, **more):
    return json.dumps({"type": "request", "id": "1", "to": to, **more})


@pytest.fixture
def rooms():
    rooms = Rooms(Limits(rate=1, burst=3, room=3))
    rooms.join("A", Join("house", Member("a")), 0.0)
    rooms.join("B", Join("house", Member("b")), 0.0)
    rooms.join("X", Join("other", Member("x")), 0.0)
    return rooms


def test_a_newcomer_hears_of_the_others_and_they_of_it(rooms):
    sends = told(rooms.join("C", Join("house", Member("c", "pc", "e")), 0.0))
    to, welcome = sends[0]
    assert to == "C"
    assert [peer["deviceId"] for peer in welcome["peers"]] == ["a", "b"]
    assert welcome["limits"] == {"rate": 1, "burst": 3}
    news = {"type": "peer-joined", "deviceId": "c", "deviceType": "pc", "epoch": "e"}
    assert sends[1:] == [("A", news), ("B", news)]


def test_who_leaves_is_told_to_its_room_once(rooms):
    assert told(rooms.leave("A")) == [("B", {"type": "peer-left", "deviceId": "a"})]
    assert rooms.leave("A") == []
    assert rooms.leave("never here") == []


def test_a_room_ends_with_its_last_device(rooms):
    assert (rooms.rooms, rooms.devices) == (2, 3)
    for key in "ABX":
        rooms.leave(key)
    assert (rooms.rooms, rooms.devices) == (0, 0)


def test_a_message_goes_to_its_addressee_with_its_true_sender(rooms):
    assert told(rooms.receive("A", request("B", body="hi"), 0.0)) == [("B", {"type": "request", "id": "1", "body": "hi", "from": "a"})]


def test_a_foreign_room_and_an_unknown_device_look_alike(rooms):
    foreign = told(rooms.receive("A", request("x"), 0.0))
    unknown = told(rooms.receive("A", request("q"), 0.0))
    assert foreign == [("A", {"type": "error", "id": "1", "code": "unreachable", "message": "x is not here"})]
    assert json.dumps(unknown).replace("q is", "x is") == json.dumps(foreign)


def test_nobody_is_told_that_an_answer_or_a_cancel_came_too_late(rooms):
    for kind in ("response", "refusal", "cancel"):
        assert rooms.receive("A", json.dumps({"type": kind, "id": "1", "to": "gone"}), 100.0) == []


def test_a_device_does_not_reach_itself(rooms):
    assert told(rooms.receive("A", request("a"), 0.0))[0][1]["type"] == "error"


@pytest.mark.parametrize(("member", "ending"), [("A", Ending.ID_TAKEN), ("d", Ending.ROOM_FULL)])
def test_who_may_not_come_in_leaves_no_trace(rooms, member, ending):
    rooms.join("C", Join("house", Member("c")), 0.0)
    with pytest.raises(WireError) as caught:
        rooms.join("D", Join("house", Member(member)), 0.0)
    assert caught.value.ending is ending
    assert (rooms.rooms, rooms.devices) == (2, 4)


def test_the_same_id_in_two_rooms_is_two_devices(rooms):
    rooms.join("Y", Join("other", Member("a")), 0.0)
    assert rooms.holder(Join("house", Member("A"))) == "A"
    assert rooms.holder(Join("other", Member("A"))) == "Y"
    assert rooms.holder(Join("third", Member("A"))) is None


def test_each_device_has_a_rate_of_its_own(rooms):
    for _ in range(3):
        rooms.receive("A", request("b"), 0.0)
    with pytest.raises(WireError) as caught:
        rooms.receive("A", request("b"), 0.5)
    assert caught.value.ending is Ending.RATE_LIMITED
    assert rooms.receive("B", request("a"), 0.5)
    assert rooms.receive("A", request("b"), 1.5)


def test_a_message_that_grows_when_it_is_written_anew_is_too_large(rooms):
    numbers = ",".join(["1e15"] * (MAX_MESSAGE // 8))
    with pytest.raises(WireError) as caught:
        rooms.receive("A", request("b")[:-1] + f', "n": [{numbers}]}}', 0.0)
    assert caught.value.ending is Ending.TOO_LARGE


def test_what_a_connection_said_before_it_had_to_make_way_is_dropped(rooms):
    rooms.leave("A")
    assert rooms.receive("A", request("b"), 0.0) == []


ACTIONS = st.lists(
    st.tuples(st.sampled_from(("join", "leave", "send")), st.integers(0, 7), st.integers(0, 1), st.integers(0, 7)), max_size=60
)


@given(ACTIONS)
def test_nothing_ever_crosses_from_one_room_to_another(actions):
    rooms, where = Rooms(Limits(room=3, rate=1, burst=10)), {}
    for now, (action, key, room, device) in enumerate(actions):
        sends = []
        own = where.get(key)
        try:
            if action == "join" and own is None:
                sends = rooms.join(key, Join(f"room{room}", Member(f"d{device}")), float(now))
                where[key] = own = room
            elif action == "leave":
                sends = rooms.leave(key)
                where.pop(key, None)
            elif action == "send" and own is not None:
                sends = rooms.receive(key, request(f"d{device}"), float(now))
        except WireError:
            continue
        assert all(where[send.to] == own for send in sends)
    assert rooms.devices == len(where)
    assert rooms.rooms == len(set(where.values()))


@given(st.lists(st.floats(0, 10), max_size=50))
def test_a_bucket_never_gives_more_than_its_rate_and_burst(delays):
    bucket, now, taken = Bucket(2.0, 5.0, 0.0), 0.0, 0
    for delay in delays:
        now += delay
        taken += bucket.take(now)
    assert taken <= 5 + 2 * now + 1e-6


def test_a_bucket_says_when_to_come_back():
    bucket = Bucket(2.0, 1.0, 0.0)
    assert bucket.take(0.0)
    assert bucket.wait(0.0) == 0.5
    assert bucket.take(0.5)


def test_the_close_codes_are_in_the_private_range_and_apart():
    codes = [ending.close_code for ending in Ending]
    assert all(4000 <= code <= 4999 for code in codes)
    assert len(set(codes)) == len(codes)
    assert json.loads(wire.ended(Ending.TOO_SLOW, "x"))["code"] == "too-slow"
