from __future__ import annotations

import collections
import contextlib
import enum
import gc
import math
import sys

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.protocol.packed import BadValue, pack, unpack, weight

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class Level(enum.IntEnum):
    HIGH = 3


def nested(levels: int, begin: object = 1) -> object:
    value = begin
    for _ in range(levels):
        value = [value]
    return value


@given(value=VALUES)
def test_every_value_reads_as_it_was_written(value):
    assert unpack(pack(value)) == value


@pytest.mark.fuzz
@given(data=st.binary())
def test_any_bytes_are_a_value_or_bad_value(data):
    with contextlib.suppress(BadValue):
        pack(unpack(data))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (2**70, 2**70),
        ({"far": -(2**64)}, {"far": -(2**64)}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (Level.HIGH, 3),
        ({1: 2}, {"1": 2}),
        ((1, (2,)), [1, [2]]),
        (bytearray(b"x"), b"x"),
    ],
    ids=repr,
)
def test_what_json_takes_passes_too(value, read):
    assert unpack(pack(value)) == read


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [1, {"a": math.inf}],
        {"a": (-math.inf,)},
        {1, 2},
        object(),
        "\ud800",
        ["\ud800"],
        {"a": 1j},
        [2**70, b"x"],
        nested(66),
        nested(300),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_json_value_and_has_no_bytes_is_refused(value):
    with pytest.raises(BadValue):
        pack(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x91",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xffx",
        b"\xa1\xff",
        b"\x81\x01\x02",
        b"\x91" * 70 + b"\x01",
        b"\x91" * 100_000,
        b"\xcb\x7f\xf8" + bytes(6),
        b"\x92\x01\xca\xff\x80" + bytes(2),
        b"\xc7\x01\x02x",
        b"\xc7\x03\x01NaN",
        b"\xd4\x01[",
        b"\x91\xd4\x011",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_hostile_bytes_are_refused(data):
    with pytest.raises(BadValue):
        unpack(data)


def test_a_value_that_only_looks_odd_passes():
    value = [b"\xcb\x7f\xf8", b"\x91" * 500, "\u00cb\x7f" * 50, 1.5]
    assert unpack(pack(value)) == value


def test_many_small_values_weigh_more_than_a_text_of_their_bytes():
    assert weight(pack([[]] * 1000)) > 50_000
    assert weight(pack("x" * 1000)) < 1200


def test_bytes_are_carried_as_they_are():
    assert len(pack(bytes(1000))) < 1010
    assert ormsgpack.unpackb(pack([b"x"])) == [b"x"]


@pytest.mark.parametrize(
    "value",
    [
        [[number, number * 0.5] for number in range(30_000)],
        [{"a": [number]} for number in range(30_000)],
        {"a": [0.5] * 90_000, "b": [[]] * 70},
    ],
    ids=["pairs", "objects", "flat"],
)
@pytest.mark.parametrize("work", [lambda value, _: pack(value), lambda _, data: unpack(data)], ids=["pack", "unpack"])
def test_no_step_from_one_value_of_many_to_the_next_is_pythons(value, work):
    data, calls = pack(value), []
    sys.setprofile(lambda _, event, __: calls.append(event))
    try:
        done = work(value, data)
    finally:
        sys.setprofile(None)
    assert done in (data, value)
    # The first few thousand are weighed one by one.
    assert len(calls) < 40_000


def test_the_search_for_garbage_is_on_again_whatever_came_of_a_large_message():
    data = pack(["x" * 10] * 10_000)
    for broken in (data, data[:-1]):
        with contextlib.suppress(BadValue):
            unpack(broken)
        assert gc.isenabled()
    gc.disable()
    try:
        unpack(data)
        assert not gc.isenabled()
    finally:
        gc.enable()
