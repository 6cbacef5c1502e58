"""What a message weighs as memory is known before its values are made."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.errors import BadFrame
from hallway.protocol import batches
from hallway.protocol.frames import FrameType, decode, decode_large
from hallway.protocol.packed import LARGE, BadValue, pack, unpack, weight
from hallway.protocol.weights import MAX_LOOKS, MAX_WEIGHT, VALUE_BYTES, of_headers, of_message

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | st.text() | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def exactly(value: object) -> int:
    """How many values there are that take memory of their own: Python has each number from -5 to 256 once."""
    mine = not (type(value) is int and -5 <= value <= 127)
    if isinstance(value, dict):
        return mine + sum(map(exactly, value)) + sum(map(exactly, value.values()))
    return mine + (sum(map(exactly, value)) if isinstance(value, list) else 0)


@given(value=VALUES)
def test_a_message_of_few_values_weighs_what_they_are(value):
    data = pack(value)
    assert of_message(data) == len(data) + VALUE_BYTES * exactly(value) <= of_headers(data)


def test_a_picture_weighs_its_bytes():
    picture = bytes(range(256)) * 4096
    assert weight(pack({"name": "plan", "picture": picture})) < len(picture) + 1000


@pytest.mark.parametrize("value", [[], [[]], ["é"], [1.5], [{}], -32, -6], ids=repr)
def test_many_small_values_weigh_their_memory(value):
    values = [value] * (2 * MAX_LOOKS)
    data = pack(values)
    assert weight(data) > sys.getsizeof(values) + len(values) * sys.getsizeof(value[0] if isinstance(value, list) and value else value)


def test_what_would_fill_the_memory_is_refused_before_it_does():
    count = MAX_WEIGHT // VALUE_BYTES + 1
    bomb = b"\xdd" + count.to_bytes(4, "big") + b"\x90" * count
    with pytest.raises(BadValue, match="bytes of memory"):
        unpack(bomb)
    with pytest.raises(BadFrame, match="bytes of memory"):
        decode(batches.encode(1, 1, [bomb]))


@pytest.mark.parametrize(
    ("kind", "head", "each", "tail"),
    [
        (FrameType.MESSAGES, b"\x93\x01\x01\xdd", b"\x90", b""),
        (FrameType.PARCELS, b"\x94\xa0\x01\x01\xdd", b"\x90", b""),
        (FrameType.REQUEST, b'{"number":1,"kind":"roster","body":[', b"[],", b"0]}"),
        (FrameType.RESPONSE, b'{"number":1,"error":null,"body":[', b"[],", b"0]}"),
    ],
    ids=lambda value: value.name if isinstance(value, FrameType) else "",
)
def test_a_large_frame_that_would_fill_the_memory_is_refused_before_it_does(kind, head, each, tail):
    count = MAX_WEIGHT // VALUE_BYTES + 1
    size = b"" if tail else count.to_bytes(4, "big")
    with pytest.raises(BadFrame, match="bytes of memory"):
        decode_large(bytes((kind,)) + head + size + each * count + tail)


def test_many_bodies_in_one_frame_are_weighed_together():
    count = MAX_WEIGHT // VALUE_BYTES // 8 + 1
    body = b"\xdd" + count.to_bytes(4, "big") + b"\x90" * count
    with pytest.raises(BadFrame, match="bytes of memory"):
        decode(batches.encode(1, 1, [body] * 8))


def test_json_in_an_extension_weighs_its_values():
    data = pack([2**70] * LARGE)
    assert weight(data) > VALUE_BYTES * LARGE
