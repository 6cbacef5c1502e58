from __future__ import annotations

import json

import pytest

from hallway.events import bytes_as_json


def test_bytes_in_a_message_are_base64_in_json():
    assert json.dumps({"picture": b"\x00\xff"}, default=bytes_as_json) == '{"picture": {"base64": "AP8="}}'


def test_what_is_no_message_has_no_json_form():
    with pytest.raises(TypeError, match="set has no JSON form"):
        json.dumps({1, 2}, default=bytes_as_json)
