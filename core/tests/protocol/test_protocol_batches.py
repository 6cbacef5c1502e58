from __future__ import annotations

import contextlib
import random
import zlib

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.errors import BadFrame
from hallway.protocol import batches
from hallway.protocol.batches import (
    LIMIT,
    MAX_MESSAGES,
    MAX_SKIPPED,
    MAX_UNSQUEEZED,
    MESSAGES,
    OVERHEAD,
    SQUEEZED,
    Squeezer,
    encode,
    message_id,
)
from hallway.protocol.frames import Message, Messages, Ping, decode
from hallway.protocol.frames import encode as encode_frame
from hallway.protocol.packed import pack

BODIES = st.lists(st.integers(0, 2**40).map(pack) | st.text().map(pack), min_size=1, max_size=20)
NUMBERS = st.integers(0, LIMIT - MAX_MESSAGES - 1)


def squeezed(content: bytes) -> bytes:
    return bytes((SQUEEZED,)) + zlib.compress(content, 9, -15)


def raw(content: object) -> bytes:
    return bytes((MESSAGES,)) + ormsgpack.packb(content)


@given(prefix=NUMBERS, first=NUMBERS, bodies=BODIES)
def test_a_batch_reads_as_it_was_written_squeezed_or_not(prefix, first, bodies):
    frame = encode(prefix, first, bodies)
    assert batches.read(frame) == (prefix, first, bodies)
    assert batches.unsqueeze(squeezed(frame)) == frame
    assert decode(squeezed(frame)) == decode(frame)
    assert len(frame) <= sum(len(body) + OVERHEAD for body in bodies)


def test_prefix_and_number_are_the_id():
    frame = decode(encode(0xABC, 0xFF, [pack("one"), pack("two")]))
    assert frame == Messages((Message(message_id(0xABC, 0xFF), "one"), Message(message_id(0xABC, 0x100), "two")))
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
    ],
    ids=["nothing", "not deflated", "empty", "cut off", "too long", "twice", "not of messages", "too large", "a bomb"],
)
def test_a_squeezed_frame_that_cannot_be_read_is_refused(data):
    with pytest.raises(BadFrame, match="SQUEEZED"):
        decode(data)


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
        compress = zlib.compress
        monkeypatch.setattr(batches.zlib, "compress", lambda *arguments: tries.append(1) or compress(*arguments))
        squeezer, noise = Squeezer(), encode(1, 1, [random.Random(1).randbytes(2000)])
        for _ in range(1000):
            assert squeezer.squeeze(noise) is noise
        assert len(tries) < 30
        plain = encode(1, 1, [pack("x" * 2000)])
        frames = [squeezer.squeeze(plain) for _ in range(MAX_SKIPPED + 2)]
        assert len(frames[-1]) < len(plain) / 3
