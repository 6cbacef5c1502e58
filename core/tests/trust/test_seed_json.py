"""The seed's JSON has one reader, for the guard and for whoever speaks the seed's wire without one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.model import Candidate, Refusal, RefusalCode
from hallway.trust import seed_json
from hallway.trust.seed_json import MAX_CANDIDATES, SeedMessage

OFFER: dict[str, Any] = {"from": "tablet-2", "to": "tablet-1", "sdp": {"type": "offer", "sdp": "v=0"}, "iceCandidates": []}
TRICKLED: dict[str, Any] = {
    "from": "tablet-2",
    "to": "TABLET-1",
    "candidate": {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0},
}


def read(message: Any, kind: str = "offer") -> SeedMessage | Refusal:
    return seed_json.read(kind, json.dumps(message).encode(), "tablet-1", "property-123")


def test_an_offer_is_read_with_its_json():
    message = OFFER | {"iceCandidates": [{"candidate": "candidate:1"}], "hallway": {"any": 1}, "propertyId": "property-123"}
    assert read(message) == SeedMessage("tablet-2", "tablet-1", "v=0", (Candidate("candidate:1"),), message)


def test_an_answer_without_candidates_is_read():
    message = {"from": "tablet-2", "to": "tablet-1", "sdp": {"type": "answer", "sdp": "v=0"}}
    assert read(message, "answer") == SeedMessage("tablet-2", "tablet-1", "v=0", (), message)


def test_a_candidate_is_read():
    assert read(TRICKLED, "candidate") == SeedMessage("tablet-2", "TABLET-1", "", (Candidate("candidate:1", "0", 0),), TRICKLED)


def test_there_is_one_bound_on_candidates():
    many = [{"candidate": ""}] * MAX_CANDIDATES
    assert isinstance(read(OFFER | {"iceCandidates": many}), SeedMessage)
    assert read(OFFER | {"iceCandidates": [*many, *many[:1]]}) == Refusal(
        RefusalCode.BAD_REQUEST, f"'iceCandidates' must be an array of at most {MAX_CANDIDATES}"
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": "tablet-3"}, RefusalCode.WRONG_DEVICE),
        ({"from": "TABLET-1"}, RefusalCode.BAD_REQUEST),
        ({"propertyId": "another"}, RefusalCode.WRONG_PROPERTY),
        ({"sdp": {"type": "answer", "sdp": "v=0"}}, RefusalCode.BAD_REQUEST),
        ({"sdp": {"type": "offer", "sdp": "\ud800"}}, RefusalCode.BAD_REQUEST),
    ],
)
def test_what_is_wrong_has_its_code(change, code):
    refusal = read(OFFER | change)
    assert isinstance(refusal, Refusal)
    assert refusal.code is code


@pytest.mark.fuzz
@given(st.sampled_from(["offer", "answer", "candidate", "x"]), st.binary())
def test_any_bytes_are_a_message_or_a_refusal(kind, body):
    assert isinstance(seed_json.read(kind, body, "tablet-1", "property-123"), SeedMessage | Refusal)
