from __future__ import annotations

import contextlib

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.protocol.parcels import (
    ACK,
    GAP,
    HEAD_OVERHEAD,
    LIMIT,
    MAX_PARCELS,
    NAK,
    PARCEL_OVERHEAD,
    PARCELS,
    Ack,
    Credit,
    Gap,
    Nak,
    Parcel,
    Parcels,
    decode,
    encode,
    size_of,
)

NUMBERS = st.integers(1, LIMIT - 2 * MAX_PARCELS)
STREAMS = st.text(max_size=20)
IDS = st.binary(min_size=16, max_size=16)
CONTENTS = st.lists(st.tuples(IDS, st.none() | NUMBERS, st.binary()), min_size=1, max_size=5)


def parcels(first: int, contents: list[tuple[bytes, int | None, bytes]]) -> tuple[Parcel, ...]:
    return tuple(Parcel(seq, *content) for seq, content in enumerate(contents, first))


FRAMES = (
    st.builds(Parcels, STREAMS, NUMBERS, st.builds(parcels, NUMBERS, CONTENTS))
    | st.builds(Ack, STREAMS, NUMBERS, st.just(3), st.builds(Credit, NUMBERS, NUMBERS), st.just(((5, 5), (7, 9))))
    | st.builds(Gap, STREAMS, NUMBERS, st.just(4), st.integers(4, LIMIT - 1))
    | st.builds(Nak, STREAMS, NUMBERS, NUMBERS, STREAMS)
)


@given(frame=FRAMES)
def test_every_frame_reads_as_it_was_written(frame):
    assert decode(encode(frame)) == frame


@given(stream=st.text(max_size=64), first=NUMBERS, contents=CONTENTS)
def test_parcels_cost_at_most_the_stated_overhead(stream, first, contents):
    frame = Parcels(stream, LIMIT - 1, parcels(first, contents))
    assert len(encode(frame)) <= HEAD_OVERHEAD + size_of(frame.parcels)
    assert size_of(frame.parcels) == sum(len(parcel.body) + PARCEL_OVERHEAD for parcel in frame.parcels)


@pytest.mark.fuzz
@given(kind=st.sampled_from([PARCELS, ACK, GAP, NAK]), data=st.binary())
def test_any_bytes_behind_a_known_type_are_a_frame_or_malformed(kind, data):
    with contextlib.suppress(ValueError, TypeError):
        decode(bytes((kind,)) + data)


ITEM = [bytes(16), None, b"x"]
HEADS = (None, {}, [], ["", 1], ["", -1, 1], [1, 1, 1], ["x" * 65, 1, 1])
BATCHES = ([0, [ITEM]], [1, []], [1, [ITEM] * (MAX_PARCELS + 1)], [LIMIT - 1, [ITEM]], [1, {}], [1.0, [ITEM]])


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        *[
            (kind, content)
            for kind in (PARCELS, ACK, GAP, NAK)
            for content in (None, {}, [], ["", 1], ["", -1, 1], [1, 1, 1], ["x" * 65, 1, 1])
        ],
        *[
            (PARCELS, ["", 1, *rest])
            for rest in ([0, [ITEM]], [1, []], [1, [ITEM] * (MAX_PARCELS + 1)], [LIMIT - 1, [ITEM]], [1, {}], [1.0, [ITEM]])
        ],
        *[(PARCELS, ["", 1, 1, [item]]) for item in ([b"x", None, b"x"], [bytes(16), -1, b"x"], [bytes(16), None, "x"], [bytes(16)], None)],
        *[(ACK, ["", 1, 1, credit, []]) for credit in ([1], [1, -1], None, [1, 2, 3], [LIMIT, 1])],
        *[(ACK, ["", 1, 3, [1, 1], ranges]) for ranges in ([[2, 2]], [[5, 4]], [[7, 8], [5, 6]], [[5]], [[5, 5]] * 9, None)],
        *[(GAP, ["", 1, *rest]) for rest in ([0, 1], [2, 1], [1], [1, LIMIT])],
        *[(NAK, ["", 1, *rest]) for rest in ([0, "x"], [1, None], [1, "x" * 257])],
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_malformed_is_refused(kind, content):
    with pytest.raises((ValueError, TypeError)):
        decode(bytes((kind,)) + ormsgpack.packb(content))
