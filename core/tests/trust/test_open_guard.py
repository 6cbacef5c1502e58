"""The open mode's bytes: the seed's JSON in and out, and whatever else comes in becomes a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.model import Candidate, Description, DeviceInfo, Envelope, Origin, Refusal, RefusalCode
from hallway.trust import Mark, OpenGuard, Signal

GUARD = OpenGuard(DeviceInfo("tablet-1", "property-123", "tablet", "e1"))
ORIGIN = Origin("http-local", "10.0.0.7")
SEED_OFFER = (
    b'{"from":"tablet-2","to":"tablet-1","sdp":{"type":"offer","sdp":"v=0\\r\\n"},'
    b'"iceCandidates":[{"candidate":"candidate:1 1 udp 1 10.0.0.7 5000 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"x"}]}'
)
SEED_CANDIDATE = b'{"from":"tablet-2","to":"tablet-1","candidate":{"candidate":"","sdpMid":"0","sdpMLineIndex":0}}'
CANDIDATE = Candidate("candidate:1 1 udp 1 10.0.0.7 5000 typ host", "0", 0)


def envelope(body: Any, kind: str = "offer") -> Envelope:
    return Envelope(kind, "application/json", body if isinstance(body, bytes) else json.dumps(body).encode())


def changed(**change: Any) -> dict[str, Any]:
    """The seed's offer with some keys changed; ``...`` takes one out."""
    body = json.loads(SEED_OFFER) | {("from" if key == "sender" else key): value for key, value in change.items()}
    return {key: value for key, value in body.items() if value is not ...}


def refusal(body: Any, kind: str = "offer") -> Refusal:
    result = GUARD.open(envelope(body, kind), ORIGIN, 0.0)
    assert isinstance(result, Refusal)
    assert result.message
    return result


class TestTheSeedsWire:
    def test_an_offer_of_the_seed_is_read(self):
        assert GUARD.open(envelope(SEED_OFFER), ORIGIN, 0.0) == Signal(
            "tablet-2", "tablet-1", Description("webrtc", "offer", "v=0\r\n", (CANDIDATE,)), mark=None
        )

    def test_an_answer_without_a_list_of_candidates_is_read(self):
        body = changed(sdp={"type": "answer", "sdp": "v=0"}, iceCandidates=...)
        signal = GUARD.open(envelope(body, "answer"), ORIGIN, 0.0)
        assert isinstance(signal, Signal)
        assert signal.description == Description("webrtc", "answer", "v=0")

    def test_a_trickled_candidate_and_the_end_of_candidates_are_read(self):
        signal = GUARD.open(envelope(SEED_CANDIDATE, "candidate"), ORIGIN, 0.0)
        assert signal == Signal("tablet-2", "tablet-1", candidate=Candidate("", "0", 0))

    def test_our_offer_is_the_seeds_with_two_keys_more_byte_for_byte(self):
        sealed = GUARD.seal("tablet-2", Description("webrtc", "offer", "v=0\r\n", (CANDIDATE,)), 0.0)
        assert (sealed.kind, sealed.content_type) == ("offer", "application/json")
        assert sealed.body == (
            b'{"from":"tablet-1","to":"tablet-2","propertyId":"property-123","sdp":{"type":"offer","sdp":"v=0\\r\\n"},'
            b'"iceCandidates":[{"candidate":"candidate:1 1 udp 1 10.0.0.7 5000 typ host","sdpMid":"0","sdpMLineIndex":0}],'
            b'"hallway":{"version":1,"epoch":"e1","kind":"webrtc"}}'
        )

    def test_our_candidate_is_the_seeds_with_one_key_more_byte_for_byte(self):
        sealed = GUARD.seal("tablet-2", Candidate("", None, 0), 0.0)
        assert sealed.kind == "candidate"
        assert sealed.body == (
            b'{"from":"tablet-1","to":"tablet-2","propertyId":"property-123","candidate":{"candidate":"","sdpMid":null,"sdpMLineIndex":0}}'
        )

    def test_unknown_keys_are_ignored_everywhere(self):
        body = changed(
            extra=1, hallway={"version": 2, "epoch": "e", "kind": "webrtc", "extra": []}, sdp={"type": "offer", "sdp": "", "x": 1}
        )
        signal = GUARD.open(envelope(body), ORIGIN, 0.0)
        assert isinstance(signal, Signal)
        assert signal.mark == Mark(2, "e")


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True).filter(lambda name: name.lower() != "tablet-1")
CANDIDATES = st.builds(Candidate, st.text(max_size=20), st.none() | st.text(max_size=5), st.none() | st.integers(0, 255))
DESCRIPTIONS = st.builds(
    Description,
    st.text(max_size=128),
    st.sampled_from(["offer", "answer"]),
    st.text(max_size=200),
    st.lists(CANDIDATES, max_size=32).map(tuple),
)


@given(sender=NAMES, content=DESCRIPTIONS | CANDIDATES)
def test_what_one_device_seals_the_other_reads(sender, content):
    guard = OpenGuard(DeviceInfo(sender, "property-123", epoch="e7"))
    signal = GUARD.open(guard.seal("TABLET-1", content, 0.0), ORIGIN, 0.0)
    if isinstance(content, Candidate):
        assert signal == Signal(sender, "TABLET-1", candidate=content)
    else:
        assert signal == Signal(sender, "TABLET-1", content, mark=Mark(1, "e7"))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=10)
KEYS = st.sampled_from(
    [
        "from",
        "to",
        "sdp",
        "type",
        "iceCandidates",
        "candidate",
        "sdpMid",
        "sdpMLineIndex",
        "hallway",
        "version",
        "epoch",
        "kind",
        "propertyId",
    ]
)
JSON = st.recursive(
    SCALARS | st.sampled_from(["tablet-1", "tablet-2", "offer", "answer"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=6),
    max_leaves=30,
)
KINDS = st.sampled_from(["offer", "answer", "candidate", "accepted", ""])


@pytest.mark.fuzz
@given(kind=KINDS | st.text(max_size=10), body=st.binary())
def test_any_bytes_give_a_signal_or_a_refusal(kind, body):
    assert isinstance(GUARD.open(Envelope(kind, "text/plain", body), Origin("x"), 0.0), Signal | Refusal)


@pytest.mark.fuzz
@given(kind=KINDS, body=JSON)
def test_any_json_gives_a_signal_or_a_refusal(kind, body):
    assert isinstance(GUARD.open(envelope(body, kind), ORIGIN, 0.0), Signal | Refusal)


@pytest.mark.fuzz
@given(kind=KINDS, change=st.dictionaries(KEYS, JSON, max_size=3))
def test_any_change_of_a_good_offer_gives_a_signal_for_us_or_a_refusal(kind, change):
    result = GUARD.open(envelope(json.loads(SEED_OFFER) | change, kind), ORIGIN, 0.0)
    if isinstance(result, Refusal):
        assert result.message
    else:
        assert result.to.lower() == "tablet-1" != result.sender.lower()
        assert (result.description is None) is not (result.candidate is None)


class TestWhoAndWhom:
    def test_ids_are_compared_without_case(self):
        assert isinstance(GUARD.open(envelope(changed(to="TABLET-1")), ORIGIN, 0.0), Signal)

    def test_what_is_for_another_device_is_refused(self):
        assert refusal(changed(to="tablet-3")).code is RefusalCode.WRONG_DEVICE

    @pytest.mark.parametrize("sender", ["tablet-1", "Tablet-1"])
    def test_what_claims_to_be_from_this_device_is_refused(self, sender):
        assert refusal(changed(sender=sender)).code is RefusalCode.BAD_REQUEST

    @pytest.mark.parametrize("property_id", ["property-124", "PROPERTY-123", "", None, 1, []])
    def test_another_property_is_refused_and_ours_is_not_told(self, property_id):
        answer = refusal(changed(propertyId=property_id))
        assert answer.code is RefusalCode.WRONG_PROPERTY
        assert "property-123" not in answer.message

    def test_our_own_property_may_be_named_or_not(self):
        assert isinstance(GUARD.open(envelope(changed(propertyId="property-123")), ORIGIN, 0.0), Signal)

    @pytest.mark.parametrize("value", [..., None, 1, "", "-a", "a-", "a.b", "a b", "a" * 64, "é", "a\n", ["a"], {"a": 1}, True])
    @pytest.mark.parametrize("key", ["sender", "to"])
    def test_what_is_no_device_id_is_refused(self, key, value):
        assert refusal(changed(**{key: value})).code is RefusalCode.BAD_REQUEST


@pytest.mark.parametrize(
    "change",
    [
        {"sdp": ...},
        {"sdp": None},
        {"sdp": "v=0"},
        {"sdp": []},
        {"sdp": {"type": "offer"}},
        {"sdp": {"type": "offer", "sdp": 1}},
        {"sdp": {"sdp": "v=0"}},
        {"sdp": {"type": "answer", "sdp": "v=0"}},
        {"sdp": {"type": "rollback", "sdp": ""}},
        {"iceCandidates": None},
        {"iceCandidates": {}},
        {"iceCandidates": ["candidate:1"]},
        {"iceCandidates": [{}]},
        {"iceCandidates": [{"candidate": None}]},
        {"iceCandidates": [{"candidate": "x", "sdpMid": 0}]},
        {"iceCandidates": [{"candidate": "x", "sdpMLineIndex": "0"}]},
        {"iceCandidates": [{"candidate": "x", "sdpMLineIndex": -1}]},
        {"iceCandidates": [{"candidate": "x", "sdpMLineIndex": 256}]},
        {"iceCandidates": [{"candidate": "x", "sdpMLineIndex": True}]},
        {"iceCandidates": [{"candidate": "x"}] * 33},
        {"hallway": 1},
        {"hallway": []},
        {"hallway": {}},
        {"hallway": {"version": "1", "epoch": "e"}},
        {"hallway": {"version": 0, "epoch": "e"}},
        {"hallway": {"version": True, "epoch": "e"}},
        {"hallway": {"version": 1}},
        {"hallway": {"version": 1, "epoch": 5}},
        {"hallway": {"version": 1, "epoch": "e" * 129}},
        {"hallway": {"version": 1, "epoch": "e", "kind": None}},
        {"hallway": {"version": 1, "epoch": "e", "kind": "k" * 129}},
    ],
    ids=str,
)
def test_a_field_of_a_wrong_type_or_size_is_refused(change):
    assert refusal(changed(**change)).code is RefusalCode.BAD_REQUEST


@pytest.mark.parametrize("candidate", [..., None, "candidate:1", [], {}, {"candidate": 1}])
def test_a_candidate_of_a_wrong_shape_is_refused(candidate):
    assert refusal(changed(candidate=candidate), "candidate").code is RefusalCode.BAD_REQUEST


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"text"', b"1", b"NaN", b"\xff\xfe", "é".encode("latin-1")])
def test_what_is_no_json_object_is_refused(body):
    assert refusal(body).code is RefusalCode.BAD_REQUEST


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1024 * 1024,
        b'{"from":' * 100_000,
        SEED_OFFER[:-1] + b',"x":' + b"[" * 200 + b"]" * 200 + b"}",
        SEED_OFFER[:-1] + b',"x":' + b"9" * 5000 + b"}",
        SEED_OFFER[:-1] + b',"x":"\\ud800"}',
    ],
    ids=["a megabyte of brackets", "deep objects", "deep and otherwise good", "a huge number", "half a character"],
)
def test_hostile_json_is_refused(body):
    assert refusal(body).code is RefusalCode.BAD_REQUEST


@pytest.mark.parametrize("kind", ["accepted", "", "rollback", "OFFER", "answer"])
def test_an_offer_under_another_kind_is_refused(kind):
    assert refusal(SEED_OFFER, kind).code is RefusalCode.BAD_REQUEST


def test_nothing_can_be_proved_in_hello_and_everybody_is_admitted():
    assert GUARD.hello("tablet-2", None, 0.0) == {}
    for section in ({}, None, "nonsense", 1):
        assert GUARD.admit("tablet-2", section, None, 0.0) is None
