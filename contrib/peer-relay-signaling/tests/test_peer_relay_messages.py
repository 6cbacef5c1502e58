"""The messages alone: what is written is read again, and whatever comes from outside is read or `Malformed`."""

from __future__ import annotations

import contextlib

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hallway.interfaces import MAX_CONTROL_BODY
from hallway.model import Envelope, Refusal, RefusalCode
from hallway.protocol import jsontext
from hallway_peer_relay_signaling import _messages as messages
from hallway_peer_relay_signaling._limits import MAX_BODY, MAX_NEWS, MAX_RESPONSE
from hallway_peer_relay_signaling._messages import Delivery, Failure, Malformed, Member, News, Parcel, RelayRequest

DEVICE_IDS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", fullmatch=True)
NAMES = st.text(min_size=1, max_size=128).filter(str.isprintable)
EPOCHS = st.none() | NAMES | st.just("")
MEMBERS = st.builds(Member, DEVICE_IDS, NAMES, EPOCHS)
ENVELOPES = st.builds(
    Envelope,
    st.from_regex(r"[a-z][a-z-]{0,31}", fullmatch=True),
    st.from_regex(r"[\x20-\x7e]{1,128}", fullmatch=True),
    st.binary(max_size=2000),
)
PARCELS = ENVELOPES.map(Parcel.of)
PATIENCE = st.floats(0.001, 1000)
SENTENCES = st.text(max_size=messages.MAX_TEXT).filter(lambda text: text.isprintable() or not text)
REFUSALS = st.builds(Refusal, st.sampled_from(RefusalCode), SENTENCES)
FAILURES = st.builds(Failure, st.sampled_from(["relay", "target"]), st.from_regex(r"[a-z][a-z-]{0,31}", fullmatch=True), SENTENCES)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
KEYS = (
    *("version", "session", "deviceType", "epoch", "peers", "deviceId", "to", "from", "patience", "envelope"),
    *("kind", "contentType", "base64", "answer", "refusal", "failure", "by", "reason", "code", "message"),
)
GOOD = st.sampled_from((1, "a", "offer", "e30=", "busy", "target"))
SHAPED = st.recursive(
    st.dictionaries(st.sampled_from(KEYS), JSON | GOOD, max_size=12),
    lambda inner: st.dictionaries(st.sampled_from(KEYS), JSON | GOOD | inner | st.lists(inner, max_size=3), max_size=12),
)
READERS = (messages.read_news, messages.read_relay_request, messages.read_delivery, messages.read_answer, messages.read_outcome)


def carried(value):
    """What the bus makes of a body."""
    text = jsontext.dumps(value)
    assert len(text.encode()) <= MAX_CONTROL_BODY
    return jsontext.loads(text)


@given(NAMES, NAMES, EPOCHS, st.lists(MEMBERS, max_size=20))
def test_news_are_read_as_they_were_written(session, device_type, epoch, peers):
    news = News(session, device_type, epoch, tuple(peers))
    assert messages.read_news(carried(messages.write_news(news))) == news


@given(DEVICE_IDS, PATIENCE, ENVELOPES)
def test_requests_and_deliveries_are_read_as_they_were_written(device_id, patience, envelope):
    request, delivery = RelayRequest(device_id, patience, Parcel.of(envelope)), Delivery(device_id, patience, Parcel.of(envelope))
    assert messages.read_relay_request(carried(messages.write_relay_request(request))) == request
    assert messages.read_delivery(carried(messages.write_delivery(delivery))) == delivery
    assert delivery.parcel.unpack() == envelope


@given(PARCELS | REFUSALS | FAILURES)
def test_outcomes_are_read_as_they_were_written(outcome):
    assert messages.read_outcome(carried(messages.write_outcome(outcome))) == outcome


@pytest.mark.fuzz
@given(JSON | SHAPED)
@example({"refusal": {}, "envelope": {}})
@example({"version": 1, "session": "s", "deviceType": "t", "peers": [[]]})
@example({"to": "a", "patience": float(2**31), "envelope": {}})
def test_whatever_comes_is_read_or_malformed(value):
    for read in READERS:
        with contextlib.suppress(Malformed):
            outcome = read(value)
            if isinstance(outcome, Parcel):
                outcome.unpack()


@pytest.mark.parametrize("patience", [0, -1, True, None, "1", 2**31, [1]])
def test_patience_that_is_none_is_malformed(patience):
    request = messages.write_relay_request(RelayRequest("b", 1, Parcel.of(Envelope("offer", "a/b", b""))))
    with pytest.raises(Malformed, match="patience"):
        messages.read_relay_request(request | {"patience": patience})


WORST = Envelope("o" * 32, '"' * 128, b"")
"""The largest things around a body, and those that grow in JSON."""


def test_the_largest_envelopes_fit_the_bus_and_larger_ones_are_not_read():
    request = attrs.evolve(WORST, body=bytes(MAX_BODY))
    assert messages.read_relay_request(carried(messages.write_relay_request(RelayRequest("b" * 63, 1 / 3, Parcel.of(request)))))
    response = Parcel.of(attrs.evolve(WORST, body=bytes(MAX_RESPONSE)))
    assert messages.read_outcome(carried(messages.write_outcome(response))) == response
    with pytest.raises(Malformed, match="exceeds"):
        messages.read_outcome(messages.write_outcome(Parcel.of(attrs.evolve(WORST, body=bytes(MAX_RESPONSE + 3)))))
    with pytest.raises(Malformed, match="exceeds"):
        messages.read_delivery(messages.write_delivery(Delivery("b", 1, Parcel.of(attrs.evolve(WORST, body=bytes(MAX_BODY + 3))))))


@pytest.mark.parametrize(("name", "fit"), [("t", MAX_NEWS), ("\N{GRINNING FACE}" * 128, 80)], ids=["many", "large"])
def test_more_peers_than_fit_are_not_told(name, fit):
    peers = tuple(Member(f"tablet-{number}", name, "e") for number in range(1000))
    told = messages.read_news(carried(messages.write_news(News("s" * 128, name, None, peers)))).peers
    assert told == peers[: len(told)]
    assert fit <= len(told) <= MAX_NEWS


def test_news_of_too_many_peers_are_malformed():
    news = messages.write_news(News("s", "tablet", None, ()))
    with pytest.raises(Malformed, match="256"):
        messages.read_news(news | {"peers": [{"deviceId": f"t{number}", "deviceType": "t", "epoch": None} for number in range(257)]})


def test_a_strangers_words_are_fit_for_logs():
    failure = {"failure": {"by": "target", "reason": "busy", "message": "no\n\x1b[31m" + "x" * 1000}}
    assert messages.read_outcome(failure) == Failure("target", "busy", ("no  [31m" + "x" * 1000)[: messages.MAX_TEXT])
    assert messages.read_answer({"refusal": {"code": "unheard-of", "message": 7}}) == Refusal(RefusalCode.INTERNAL, "")


def test_an_answer_is_an_envelope_or_a_refusal():
    with pytest.raises(Malformed, match="either"):
        messages.read_answer({})


def test_a_body_that_is_no_base64_is_malformed_where_it_is_opened():
    with pytest.raises(Malformed, match="base64"):
        Parcel("offer", "a/b", "%%%").unpack()
    with pytest.raises(Malformed, match="base64"):
        Parcel("offer", "a/b", "ä").unpack()
