from __future__ import annotations

import contextlib
import random

import ormsgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from hallway.errors import BadFrame
from hallway.protocol import batches
from hallway.protocol.batches import (
    LIMIT,
    LONE_HEAD,
    MAX_MESSAGES,
    MAX_SKIPPED,
    MAX_UNSQUEEZED,
    MESSAGES,
    OVERHEAD,
    SQUEEZED,
    Maker,
    Squeezer,
    encode,
    message_ids,
)
from hallway.protocol.frames import Message, Messages, Ping, decode, decode_lone
from hallway.protocol.frames import encode as encode_frame
from hallway.protocol.packed import pack, weight

BODIES = st.lists(st.integers(0, 2**40).map(pack) | st.text().map(pack), min_size=1, max_size=20)
NUMBERS = st.integers(0, LIMIT - MAX_MESSAGES - 1)


def with_size(data, size):
    """The same Zstandard frame, telling a size of two bytes that is not its own."""
    assert data[4] & 0xC0 == 0x40
    return data[:5] + (size - 256).to_bytes(2, "little") + data[7:]


def squeezed(content: bytes) -> bytes:
    return bytes((SQUEEZED,)) + zstandard.compress(content, 9)


def raw(content: object) -> bytes:
    return bytes((MESSAGES,)) + ormsgpack.packb(content)


@given(prefix=NUMBERS, first=NUMBERS, bodies=BODIES)
def test_a_batch_reads_as_it_was_written_squeezed_or_not(prefix, first, bodies):
    frame = encode(prefix, first, bodies)
    assert batches.read(frame) == (prefix, first, bodies)
    assert batches.unsqueeze(squeezed(frame)) == frame
    assert decode(squeezed(frame)) == decode(frame)
    assert len(frame) <= sum(len(body) + OVERHEAD for body in bodies)


@given(prefix=NUMBERS, number=NUMBERS, value=st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary())
def test_a_lone_message_reads_as_one_in_a_batch_does(prefix, number, value):
    maker, body = Maker(prefix), pack(value)
    lone = decode(LONE_HEAD + prefix.to_bytes(8, "big") + number.to_bytes(8, "big") + body)
    assert lone == decode(maker.frame(number, [body])) == Messages((Message(maker.id(number), value),))
    assert lone.weight == weight(body)


@given(prefix=NUMBERS, values=st.lists(st.text() | st.binary(max_size=600)))
def test_lone_messages_are_numbered_with_all_others(prefix, values):
    maker = Maker(prefix)
    for number, value in enumerate(values):
        assert maker.number() == 2 * number + 1
        message_id, frame = maker.alone(pack(value))
        assert message_id == maker.id(2 * number + 2)
        assert decode(frame) == Messages((Message(message_id, value),))


@pytest.mark.parametrize("data", [b"", bytes(16), bytes(16) + b"\xc1"], ids=["nothing", "no body", "bad"])
def test_a_lone_message_that_is_none_is_refused(data):
    for read in (decode, decode_lone):
        with pytest.raises(BadFrame, match="malformed LONE"):
            read(LONE_HEAD + data)


def test_a_lone_message_is_weighed_as_any():
    heavy = LONE_HEAD + bytes(16) + b"\xdd" + (5_000_000).to_bytes(4, "big") + b"\x90" * 5_000_000
    with pytest.raises(BadFrame, match="bytes of memory"):
        decode_lone(heavy)


def test_prefix_and_number_are_the_id():
    frame = decode(encode(0xABC, 0xFF, [pack("one"), pack("two")]))
    one, two = "0000000000000abc00000000000000ff", "0000000000000abc0000000000000100"
    assert frame == Messages((Message(one, "one"), Message(two, "two")))
    assert message_ids(0xABC, 0xFF, 2) == [one, two]
    assert frame.items[0].id == "0000000000000abc00000000000000ff"


@pytest.mark.fuzz
@given(kind=st.sampled_from([MESSAGES, SQUEEZED]), data=st.binary())
def test_any_bytes_behind_a_known_type_are_a_frame_or_bad_frame(kind, data):
    with contextlib.suppress(BadFrame):
        decode(bytes((kind,)) + data)


@pytest.mark.parametrize(
    "content",
    [
        *[None, {}, [], [1, 2], [1, 2, [], 4], [1, 2, None], [1, 2, "ab"], [1, 2, ["text"]], [1, 2, [[1]]], [-1, 2, []], [1, -2, []]],
        *[[True, 2, []], [1.0, 2, []], ["1", 2, []], [1, LIMIT - 1, []]],
        *[[1, 2, [b"\x01"] * (MAX_MESSAGES + 1)], [1, 2, [b""]], [1, 2, [b"\xc1"]]],
    ],
    ids=lambda content: repr(content)[:30],
)
def test_a_batch_of_a_wrong_shape_is_refused(content):
    with pytest.raises(BadFrame, match="MESSAGES"):
        decode(raw(content))


@pytest.mark.parametrize(
    "data",
    [
        bytes((SQUEEZED,)),
        bytes((SQUEEZED,)) + b"nonsense",
        squeezed(b""),
        squeezed(encode(1, 1, [pack(1)]))[:-1],
        squeezed(encode(1, 1, [pack(1)])) + b"more",
        squeezed(squeezed(encode(1, 1, [pack(1)]))),
        squeezed(encode_frame(Ping(1))),
        squeezed(encode(1, 1, [pack(bytes(MAX_UNSQUEEZED))])),
        squeezed(bytes(100_000_000)),
        bytes((SQUEEZED,)) + zstandard.ZstdCompressor(write_content_size=False).compress(encode(1, 1, [pack(1)])),
        bytes((SQUEEZED,)) + with_size(squeezed(encode(1, 1, [pack("x" * 300)]))[1:], 10_000),
    ],
    ids=[
        *["nothing", "not Zstandard", "empty", "cut off", "too long", "twice", "not of messages", "too large", "a bomb"],
        *["tells no size", "tells a wrong size"],
    ],
)
def test_a_squeezed_frame_that_cannot_be_read_is_refused(data):
    with pytest.raises(BadFrame, match="SQUEEZED"):
        decode(data)


class TestMaker:
    def test_numbers_are_ids_and_frames_hold_them(self):
        maker = Maker(0xABC)
        first = [maker.number(), maker.number()][0]
        frame = decode(maker.frame(first, [pack("one"), pack("two")]))
        assert [message.id for message in frame.items] == [maker.id(1), maker.id(2)]

    def test_what_goes_to_many_is_made_once_and_only_the_last_are_kept(self):
        maker = Maker(1, kept=2)
        frames = [maker.frame(number, [pack(number)]) for number in (1, 2)]
        assert maker.frame(1, [pack(1)]) is frames[0]
        maker.frame(3, [pack(3)])
        assert maker.frame(2, [pack(2)]) is frames[1]
        assert maker.frame(1, [pack(1)]) == frames[0]
        assert maker.frame(1, [pack(1), pack(2)]) != frames[0]


class TestSqueezer:
    def test_what_resembles_itself_shrinks(self):
        frame = encode(1, 1, [pack({"room": number, "state": "occupied"}) for number in range(100)])
        small = Squeezer().squeeze(frame)
        assert len(small) < len(frame) / 3
        assert decode(small) == decode(frame)

    def test_what_is_small_stays_as_it_is(self):
        frame = encode(1, 1, [pack("x" * 100)])
        assert Squeezer().squeeze(frame) is frame

    def test_what_does_not_shrink_is_tried_less_and_less_often_and_again_in_the_end(self, monkeypatch):
        tries = []
        compressor = batches.COMPRESSOR

        class Counting:
            def compress(self, frame):
                tries.append(1)
                return compressor.compress(frame)

        monkeypatch.setattr(batches, "COMPRESSOR", Counting())
        squeezer, noise = Squeezer(), encode(1, 1, [random.Random(1).randbytes(2000)])
        for _ in range(1000):
            assert squeezer.squeeze(noise) is noise
        assert len(tries) < 30
        plain = encode(1, 1, [pack("x" * 2000)])
        frames = [squeezer.squeeze(plain) for _ in range(MAX_SKIPPED + 2)]
        assert len(frames[-1]) < len(plain) / 3
