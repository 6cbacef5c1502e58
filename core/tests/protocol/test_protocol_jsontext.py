from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.protocol import jsontext
from hallway.protocol.jsontext import MAX_DEPTH, BadJson

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


@given(value=JSON)
def test_what_is_written_reads_the_same(value):
    assert jsontext.loads(jsontext.dumps(value)) == value
    assert jsontext.loads(jsontext.dumps(value).encode()) == value


@pytest.mark.fuzz
@given(data=st.binary() | st.text(st.characters(codec=None)) | st.text('[]{}",:0123456789.eE-\\udU ntf'))
def test_anything_gives_a_value_that_can_be_written_again_or_bad_json(data):
    try:
        value = jsontext.loads(data)
    except BadJson:
        return
    jsontext.dumps(value).encode()


def test_the_form_is_the_shortest_and_keeps_characters():
    assert jsontext.dumps({"é": [1, 2.5, None, True]}) == '{"é":[1,2.5,null,true]}'


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[NaN]", "1e999", "-1e999", '{"a":1e400}'])
def test_what_is_no_finite_number_is_refused(text):
    with pytest.raises(BadJson):
        jsontext.loads(text)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, object(), b"bytes", {1, 2}, {(1, 2): 3}, "\ud800", {"\ud800": 1}, 10**5000], ids=type
)
def test_what_is_no_json_value_is_not_written(value):
    with pytest.raises(BadJson):
        jsontext.dumps(value)


@pytest.mark.parametrize("text", ['"\\ud800"', '["\\uDFFF"]', '{"\\ud800": 1}', '{"\\ud83d": 1}'])
def test_half_a_surrogate_pair_is_refused(text):
    with pytest.raises(BadJson):
        jsontext.loads(text)


def test_a_whole_surrogate_pair_is_a_character():
    assert jsontext.loads('"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("data", [b"\xff", '"é"'.encode("latin-1"), "[1]".encode("utf-16"), "[1]".encode("utf-32"), b"\xef\xbb\xbf1"])
def test_bytes_must_be_utf_8_without_a_mark(data):
    with pytest.raises(BadJson):
        jsontext.loads(data)


@pytest.mark.parametrize("text", ["", " ", "{", "[1,]", "'a'", "01", "{1:2}", "1 2", "nul", "//", "9" * 5000])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(BadJson):
        jsontext.loads(text)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":[', "]}")])
def test_a_million_brackets_are_refused(opening, closing):
    with pytest.raises(BadJson, match="nested"):
        jsontext.loads(nested(500_000, opening, closing))


def test_depth_is_allowed_up_to_the_bound_and_not_beyond():
    assert jsontext.loads(nested(MAX_DEPTH)) is not None
    with pytest.raises(BadJson, match=str(MAX_DEPTH)):
        jsontext.loads(nested(MAX_DEPTH + 2))
    value = jsontext.loads(nested(MAX_DEPTH))
    assert jsontext.dumps(value) == nested(MAX_DEPTH)
    with pytest.raises(BadJson):
        jsontext.dumps([[value]])


def test_a_value_that_holds_itself_is_refused():
    value: list[object] = []
    value.append(value)
    with pytest.raises(BadJson):
        jsontext.dumps(value)


def test_reasons_do_not_quote_what_was_sent():
    with pytest.raises(BadJson) as caught:
        jsontext.loads('{"password": hunter2}')
    assert "hunter2" not in str(caught.value)
