from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.errors import BadFrame
from hallway.protocol.frames import Bye, FrameType, Hello, Ping, Pong, decode, encode

TEXTS = st.text(max_size=40)
NUMBERS = st.integers(0, 2**64 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
FRAMES = (
    st.builds(Ping, NUMBERS)
    | st.builds(Pong, NUMBERS)
    | st.builds(Bye, TEXTS)
    | st.builds(Hello, TEXTS, TEXTS, TEXTS, st.lists(NUMBERS, max_size=32).map(tuple), st.dictionaries(TEXTS, VALUES, max_size=3))
)
JSON_TYPES = [kind for kind in FrameType if kind < FrameType.MESSAGES]
HELLO = {"from": "a", "to": "b", "epoch": "e", "versions": [1], "sections": {}}


def raw(kind: int, body: object) -> bytes:
    return bytes((kind,)) + json.dumps(body).encode()


@given(frame=FRAMES)
def test_every_frame_reads_as_it_was_written(frame):
    assert decode(encode(frame)) == frame


@pytest.mark.fuzz
@given(data=st.binary() | st.text())
def test_any_message_is_a_frame_or_bad_frame(data):
    with contextlib.suppress(BadFrame):
        decode(data)


@pytest.mark.fuzz
@given(
    kind=st.sampled_from(JSON_TYPES),
    body=VALUES | st.fixed_dictionaries(dict.fromkeys(HELLO, VALUES)),
)
def test_any_json_behind_a_known_type_is_a_frame_or_bad_frame(kind, body):
    try:
        frame = decode(raw(kind, body))
    except BadFrame:
        return
    assert decode(encode(frame)) == frame


def test_hello_ignores_unknown_keys():
    frame = decode(raw(FrameType.HELLO, HELLO | {"future": [1]}))
    assert frame == Hello("a", "b", "e")


@pytest.mark.parametrize("data", ["", "text", b"", b"\x00", b"\x05null", b"\x12[]", b"\x80{}", b"\xff"])
def test_what_is_no_frame_or_of_an_unknown_type_is_refused(data):
    with pytest.raises(BadFrame):
        decode(data)


@pytest.mark.parametrize("number", [-1, 2**64, 1.0, True, None, "1", [1], 10**400])
@pytest.mark.parametrize("kind", [FrameType.PING, FrameType.PONG])
def test_numbers_are_whole_and_of_64_bits(kind, number):
    with pytest.raises(BadFrame, match=kind.name):
        decode(raw(kind, number))


@pytest.mark.parametrize("reason", [None, 1, {}, [], "x" * 257])
def test_bye_has_a_short_reason(reason):
    with pytest.raises(BadFrame, match="BYE"):
        decode(raw(FrameType.BYE, reason))


@pytest.mark.parametrize(
    "change",
    [
        {"from": 1},
        {"to": None},
        {"epoch": ["e"]},
        {"epoch": "e" * 257},
        {"versions": 1},
        {"versions": ["1"]},
        {"versions": [True]},
        {"versions": [1] * 33},
        {"sections": []},
        {"sections": None},
    ],
    ids=str,
)
def test_hello_of_a_wrong_shape_is_refused(change):
    with pytest.raises(BadFrame, match="HELLO"):
        decode(raw(FrameType.HELLO, HELLO | change))


@pytest.mark.parametrize("missing", HELLO)
def test_hello_without_a_field_is_refused(missing):
    with pytest.raises(BadFrame, match="HELLO"):
        decode(raw(FrameType.HELLO, {key: value for key, value in HELLO.items() if key != missing}))


@pytest.mark.parametrize("text", ["NaN", "1e999", "[" * 500_000, '"\\ud800"', "9" * 5000, ""])
@pytest.mark.parametrize("kind", JSON_TYPES)
def test_hostile_json_is_refused_whatever_the_type(kind, text):
    with pytest.raises(BadFrame, match=kind.name):
        decode(bytes((kind,)) + text.encode())
