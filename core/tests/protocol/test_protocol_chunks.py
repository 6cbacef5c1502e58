"""What is too large for one channel message: cut, put together, and what a hostile peer may try with it."""

from __future__ import annotations

import contextlib
import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import says

from hallway.errors import BadFrame
from hallway.protocol.batches import COMPRESSOR, SQUEEZED
from hallway.protocol.chunks import CHUNK, CHUNK_BYTES, HEAD, MAX_FRAME, Assembly, Chunk, Cut, encode
from hallway.protocol.frames import Messages, Ping, decode, decode_large
from hallway.protocol.frames import encode as encode_frame

SIZES = st.integers(HEAD.size + 1, 3000)
OFFSETS = st.integers(0, 40)


def cut(frame: bytes, size: int) -> list[bytes]:
    parts, under_way = [], Cut(frame, size)
    while not under_way.is_done:
        parts.append(under_way.next())
    return parts


def put_together(parts: list[bytes]) -> list[bytes | None]:
    assembly = Assembly()
    return [assembly.put(decode(part)) for part in parts]


@given(frame=st.binary(min_size=1, max_size=5000), size=SIZES)
def test_a_frame_is_whole_with_its_last_chunk_and_not_before(frame, size):
    parts = cut(frame, size)
    assert max(map(len, parts)) <= size
    assert put_together(parts) == [*[None] * (len(parts) - 1), frame]


@given(frames=st.lists(st.binary(min_size=1, max_size=500), max_size=5))
def test_one_frame_follows_another(frames):
    parts = [part for frame in frames for part in cut(frame, 50)]
    assert [whole for whole in put_together(parts) if whole is not None] == frames


@given(chunks=st.lists(st.builds(Chunk, OFFSETS, OFFSETS, st.binary(min_size=1, max_size=20)), max_size=12))
def test_whatever_a_peer_sends_only_chunks_in_order_make_a_frame(chunks):
    assembly, taken = Assembly(), []
    for chunk in chunks:
        try:
            whole = assembly.put(chunk)
        except BadFrame:
            return
        taken.append(chunk)
        assert sum(len(each.piece) for each in taken) <= chunk.total
        if whole is not None:
            assert [each.offset for each in taken] == [sum(len(each.piece) for each in taken[:place]) for place in range(len(taken))]
            assert whole == b"".join(each.piece for each in taken)
            assert len(whole) == chunk.total
            taken = []


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([Chunk(5, 10, b"x")], "has not begun"),
        ([Chunk(0, 10, b"x"), Chunk(0, 10, b"x")], "another one is under way"),
        ([Chunk(0, 10, b"x"), Chunk(0, 20, b"x")], "another one is under way"),
        ([Chunk(0, 10, b"x"), Chunk(1, 11, b"x")], "within one of 10"),
        ([Chunk(0, 10, b"xxx"), Chunk(2, 10, b"x")], "where 3 is next"),
        ([Chunk(0, 10, b"xxx"), Chunk(4, 10, b"x")], "where 3 is next"),
        ([Chunk(0, 2, b"xxx")], "more than the 2 bytes"),
        ([Chunk(0, 4, b"xxx"), Chunk(3, 4, b"xx")], "more than the 4 bytes"),
        ([Chunk(0, 0, b"x")], "more than the 0 bytes"),
        ([Chunk(0, MAX_FRAME + 1, b"x")], "are allowed"),
        ([Chunk(0, 2**32 - 1, b"x")], "are allowed"),
    ],
    ids=[
        "no begin",
        "two begins",
        "two begins, another total",
        "other total",
        "overlap",
        "hole",
        "longer",
        "longer at last",
        "empty",
        "large",
        "huge",
    ],
)
def test_chunks_that_do_not_follow_are_refused_by_name(chunks, reason):
    assembly = Assembly()
    for chunk in chunks[:-1]:
        assert assembly.put(chunk) is None
    with pytest.raises(BadFrame, match=reason):
        assembly.put(chunks[-1])


def test_memory_grows_with_what_has_come_and_not_with_what_is_announced():
    tracemalloc.start()
    try:
        Assembly().put(Chunk(0, MAX_FRAME, b"x" * 1000))
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [b"", b"\x00" * 7, HEAD.pack(CHUNK, 0, 10)[1:]], ids=["nothing", "half a head", "no piece"])
def test_a_chunk_without_a_head_or_a_piece_is_refused(data):
    with pytest.raises(BadFrame, match="CHUNK"):
        decode(bytes((CHUNK,)) + data)


def test_a_chunk_may_be_squeezed():
    chunk = Chunk(0, CHUNK_BYTES, b"a" * 1000)
    assert decode(bytes((SQUEEZED,)) + COMPRESSOR.compress(encode(chunk))) == chunk


def test_only_what_may_be_large_comes_in_chunks():
    assert isinstance(decode_large(says("x")), Messages)
    for frame in (encode_frame(Ping(1)), encode(Chunk(0, 1, b"x")), bytes((SQUEEZED,)) + b"x"):
        with pytest.raises(BadFrame, match="in chunks"):
            decode_large(frame)


@pytest.mark.fuzz
@given(data=st.binary(min_size=1))
def test_any_bytes_put_together_are_a_frame_or_bad_frame(data):
    with contextlib.suppress(BadFrame):
        decode_large(data)


class TestThePatienceWithAPeer:
    """``Chunk`` by chunk, each may be awaited for ten seconds."""

    @pytest.fixture
    def assembly(self):
        assembly = Assembly(patience=10.0)
        assembly.put(Chunk(0, 30, bytes(10)), 100.0)
        return assembly

    def test_nothing_is_awaited_before_a_frame_is_begun_and_after_it_is_whole(self, assembly):
        assert Assembly(patience=10.0).deadline == math.inf
        assembly.put(Chunk(10, 30, bytes(20)), 105.0)
        assert assembly.deadline == math.inf
        assembly.tick(1000.0)
        assembly.excuse(1000.0)
        assert assembly.deadline == math.inf

    def test_one_that_sends_piece_by_piece_may_take_as_long_as_it_likes(self, assembly):
        assembly.tick(109.9)
        assembly.put(Chunk(10, 30, bytes(10)), 109.9)
        assembly.tick(110.0)
        assembly.tick(119.8)
        assert assembly.put(Chunk(20, 30, bytes(10)), 119.8) == bytes(30)

    def test_one_that_sends_no_more_breaks_the_rules(self, assembly):
        with pytest.raises(BadFrame, match="began a frame of 30 bytes and has sent none of the last 20 for 10 s"):
            assembly.tick(assembly.deadline)

    def test_a_device_that_has_slept_begins_to_wait_anew(self, assembly):
        assembly.tick(200.0)
        assert assembly.deadline == 210.0
        with pytest.raises(BadFrame):
            assembly.tick(210.0)

    def test_a_device_that_did_not_read_begins_to_wait_anew(self, assembly):
        assembly.excuse(109.0)
        assembly.tick(110.0)
        assert assembly.deadline == 119.0
