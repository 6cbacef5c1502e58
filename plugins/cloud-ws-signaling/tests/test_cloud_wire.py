"""The codec alone: what is written is read again, and nothing that comes from outside can do more than be refused."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hallway.model import Envelope, Refusal, RefusalCode
from hallway_cloud_ws_signaling import _wire as wire
from hallway_cloud_ws_signaling._limits import MAX_BODY, MAX_MESSAGE, MAX_ROOM
from hallway_cloud_ws_signaling._messages import (
    Cancel,
    Ended,
    Ending,
    Failed,
    Join,
    Joined,
    Member,
    PeerJoined,
    PeerLeft,
    Request,
    Response,
    Unreadable,
    WireError,
)

DEVICE_IDS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", fullmatch=True)
NAMES = st.text(min_size=1, max_size=128).filter(str.isprintable)
MEMBERS = st.builds(Member, DEVICE_IDS, NAMES, st.from_regex(r"[A-Za-z0-9_-]{0,64}", fullmatch=True))
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)
ENVELOPES = st.builds(
    Envelope,
    st.from_regex(r"[a-z][a-z-]{0,31}", fullmatch=True),
    st.from_regex(r"[\x20-\x7e]{1,128}", fullmatch=True),
    st.binary(max_size=2000) | st.text(max_size=500).map(lambda text: text.encode(errors="ignore")),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
TYPES = ("join", "joined", "peer-joined", "peer-left", "request", "response", "refusal", "cancel", "error", "news")
KEYS = ("type", "version", "room", "deviceId", "deviceType", "epoch", "id", "to", "from", "kind", "contentType", "body", "base64", "code")
MESSAGES = st.dictionaries(st.sampled_from((*KEYS, "message", "peers", "limits")), JSON | st.sampled_from((*TYPES, "a", 1)), max_size=12)


def carried(text: str, sender: str = "tablet-1") -> str:
    """What the server makes of a device's message."""
    return wire.relayed(wire.read_relay(text, sender), sender)


@given(NAMES, MEMBERS)
def test_join_is_read_as_it_was_written(room, member):
    assert wire.read_join(wire.join(room, member)) == Join(room, member)


@given(IDS, DEVICE_IDS, ENVELOPES)
def test_requests_and_responses_pass_the_server_unchanged(request_id, to, envelope):
    assert wire.read_from_server(carried(wire.request(request_id, to, envelope))) == Request("tablet-1", request_id, envelope)
    assert wire.read_from_server(carried(wire.response(request_id, to, envelope))) == Response("tablet-1", request_id, envelope)
    assert wire.read_from_server(carried(wire.cancel(request_id, to))) == Cancel("tablet-1", request_id)


@pytest.mark.parametrize("code", RefusalCode)
def test_every_refusal_passes_the_server(code):
    refusal = Refusal(code, "no")
    assert wire.read_from_server(carried(wire.response("1", "a", refusal))) == Response("tablet-1", "1", refusal)


@given(st.lists(MEMBERS, max_size=8), MEMBERS)
def test_what_the_server_says_is_read_as_it_was_written(peers, member):
    assert wire.read_from_server(wire.joined(tuple(peers), 20.0, 200.0)) == Joined(tuple(peers), 20.0, 200.0)
    assert wire.read_from_server(wire.peer_joined(member)) == PeerJoined(member)
    assert wire.read_from_server(wire.peer_left(member.device_id)) == PeerLeft(member.device_id)
    assert wire.read_from_server(wire.failed("7", "gone")) == Failed("7", "gone")
    assert wire.read_from_server(wire.ended(Ending.ID_TAKEN, "taken")) == Ended("id-taken", "taken")


@pytest.mark.parametrize("body", [b"\xff" * MAX_BODY, b"\x00" * MAX_BODY, b'"' * MAX_BODY, "\u20ac".encode() * (MAX_BODY // 3)])
def test_a_body_of_full_size_fits_a_message(body):
    envelope = Envelope("x" * 32, "c" * 128, body)
    text = carried(wire.request("i" * 32, "a" * 63, envelope), "b" * 63)
    assert len(text.encode()) <= MAX_MESSAGE
    assert wire.read_from_server(text) == Request("b" * 63, "i" * 32, envelope)


def test_the_presence_of_a_full_room_fits_a_message():
    worst = Member("a" * 63, "\U0001f600" * 128, "e" * 64)
    text = wire.joined((worst,) * (MAX_ROOM - 1), 20.0, 200.0)
    assert len(text.encode()) <= MAX_MESSAGE


@pytest.mark.fuzz
@given(st.text() | st.binary() | MESSAGES.map(json.dumps))
@example('{"type":' + "[" * 10_000)
@example('{"type":"request","id":"1","from":"a","kind":"offer","contentType":"x","body":"\\ud800"}')
@example('{"type":"joined","version":1,"peers":[],"limits":{"rate":-1e308,"burst":true}}')
def test_no_input_does_more_than_be_refused(text):
    for read in (wire.read_join, wire.read_from_server, lambda text: wire.read_relay(text, "tablet-1")):
        with contextlib.suppress(WireError):
            read(text)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": "offer"},
        {"kind": "OFFER", "contentType": "x", "body": ""},
        {"kind": "offer", "contentType": "x\n", "body": ""},
        {"kind": "offer", "contentType": "x"},
        {"kind": "offer", "contentType": "x", "body": "a", "base64": "YQ=="},
        {"kind": "offer", "contentType": "x", "base64": "no base64!"},
        {"kind": "offer", "contentType": "x", "base64": "\u00e9"},
        {"kind": "offer", "contentType": "x", "body": "a" * (MAX_BODY + 1)},
    ],
)
def test_a_peers_unreadable_envelope_is_told_apart_from_a_broken_connection(fields):
    for kind in ("request", "response"):
        message = wire.read_from_server(json.dumps({"type": kind, "id": "1", "from": "a", **fields}))
        assert isinstance(message.content, Unreadable)


@pytest.mark.parametrize(
    ("fields", "ending"),
    [
        ({"type": "hello"}, Ending.BAD_REQUEST),
        ({"version": 2}, Ending.UNSUPPORTED_VERSION),
        ({"room": ""}, Ending.BAD_REQUEST),
        ({"room": "a\nb"}, Ending.BAD_REQUEST),
        ({"deviceId": "-a"}, Ending.BAD_REQUEST),
        ({"deviceType": "x" * 129}, Ending.BAD_REQUEST),
        ({"epoch": "e" * 65}, Ending.BAD_REQUEST),
        ({"epoch": None}, Ending.BAD_REQUEST),
        ({"from": "other"}, Ending.FOREIGN_SENDER),
        ({"from": 7}, Ending.FOREIGN_SENDER),
    ],
)
def test_a_join_that_is_not_as_it_must_be_is_refused(wire_fields, fields, ending):
    with pytest.raises(WireError) as caught:
        wire.read_join(json.dumps(wire_fields | fields))
    assert caught.value.ending is ending


@pytest.fixture
def wire_fields():
    return {"type": "join", "version": 1, "room": "house", "deviceId": "a", "deviceType": "tablet", "epoch": "e"}


def test_unknown_keys_and_types_are_for_later_versions(wire_fields):
    assert wire.read_join(json.dumps(wire_fields | {"colour": "red"})).room == "house"
    assert wire.read_from_server('{"type": "news"}') is None
    assert json.loads(carried('{"type": "request", "id": "1", "to": "a", "colour": "red"}'))["colour"] == "red"


def test_a_device_may_name_itself_in_any_case():
    assert json.loads(carried('{"type": "request", "id": "1", "to": "a", "from": "TABLET-1"}'))["from"] == "tablet-1"


def test_limits_of_a_server_are_never_below_one_and_never_infinite_by_surprise():
    limits = wire.read_from_server('{"type":"joined","version":1,"peers":[],"limits":{"rate":0,"burst":-5}}')
    assert (limits.rate, limits.burst) == (1.0, 1.0)
    nothing = wire.read_from_server('{"type":"joined","version":1,"peers":[],"limits":"many"}')
    assert (nothing.rate, nothing.burst) == (float("inf"), float("inf"))
