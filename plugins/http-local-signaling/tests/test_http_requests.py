"""What a request may look like, and refusals as statuses."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hallway.model import Refusal, RefusalCode
from hallway_http_local_signaling._requests import Head, Rejection, Route, is_our_host, is_same_origin, judge
from hallway_http_local_signaling._status import STATUS, body_of, refusal_from


def head(**changes):
    fields = {"method": "POST", "path": "/offer", "hosts": ("10.0.0.7:8090",), "content_types": ("application/json",), "length": 2}
    return Head(**(fields | changes))


def code_of(outcome):
    assert isinstance(outcome, Rejection)
    return outcome.refusal.code


@pytest.mark.parametrize(
    ("changes", "route"),
    [
        ({}, Route.OFFER),
        ({"path": "/answer"}, Route.ANSWER),
        ({"path": "/ice-candidate"}, Route.CANDIDATE),
        ({"path": "/health", "method": "GET", "content_types": (), "length": None}, Route.HEALTH),
        ({"content_types": ("Application/JSON ; charset=utf-8",)}, Route.OFFER),
        ({"content_types": ("application/octet-stream",)}, Route.OFFER),
        ({"content_encodings": ("identity",)}, Route.OFFER),
        ({"length": None}, Route.OFFER),
        ({"length": 100}, Route.OFFER),
        ({"hosts": ("localhost:1",), "origins": ("http://LOCALHOST:1",)}, Route.OFFER),
    ],
)
def test_a_good_request_is_routed(changes, route):
    assert judge(head(**changes), "tablet-1", 100) is route


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hosts": ()}, RefusalCode.FORBIDDEN),
        ({"hosts": ("10.0.0.7", "10.0.0.7")}, RefusalCode.FORBIDDEN),
        ({"hosts": ("evil.example",)}, RefusalCode.FORBIDDEN),
        ({"origins": ("null",)}, RefusalCode.FORBIDDEN),
        ({"origins": ("http://10.0.0.7:8090", "http://evil.example")}, RefusalCode.FORBIDDEN),
        ({"path": "/"}, RefusalCode.NOT_FOUND),
        ({"path": "/offer/"}, RefusalCode.NOT_FOUND),
        ({"method": "GET"}, RefusalCode.BAD_REQUEST),
        ({"method": "HEAD", "path": "/health"}, RefusalCode.BAD_REQUEST),
        ({"length": 101}, RefusalCode.TOO_LARGE),
        ({"content_encodings": ("gzip",)}, RefusalCode.UNSUPPORTED_KIND),
        ({"content_types": ()}, RefusalCode.UNSUPPORTED_KIND),
        ({"content_types": ("application/json", "application/json")}, RefusalCode.UNSUPPORTED_KIND),
        ({"content_types": ("text/plain",)}, RefusalCode.UNSUPPORTED_KIND),
    ],
)
def test_a_bad_request_is_rejected(changes, code):
    assert code_of(judge(head(**changes), "tablet-1", 100)) is code


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.7:8090",
        "[::1]",
        "[fd00::7]:8090",
        "localhost",
        "LocalHost:1",
        "tablet-1.local",
        "TABLET-1.LOCAL.:8090",
        "10.0.0.7:",
    ],
)
def test_our_hosts(host):
    assert is_our_host(host, "Tablet-1")


@pytest.mark.parametrize(
    "host",
    [
        *["", ":", "tablet-2.local", "tablet-1", "tablet-1.local.evil.example", "[tablet-1.local]", "[10.0.0.7]"],
        *["::1", "127.1", "0x7f000001", "localhost:x", "a@localhost"],
    ],
)
def test_other_hosts(host):
    assert not is_our_host(host, "tablet-1")


def test_an_origin_must_be_the_very_host():
    assert is_same_origin("http://10.0.0.7:8090", "10.0.0.7:8090")
    assert not is_same_origin("http://10.0.0.7", "10.0.0.7:8090")
    assert not is_same_origin("https://10.0.0.7:8090", "10.0.0.7:8090")


@given(st.text(), st.text(), st.tuples(st.text()), st.lists(st.text(), max_size=2), st.lists(st.text(), max_size=2))
def test_judging_never_fails(method, path, hosts, origins, types):
    outcome = judge(head(method=method, path=path, hosts=hosts, origins=tuple(origins), content_types=tuple(types)), "tablet-1", 100)

    assert isinstance(outcome, (Route, Rejection))


def test_every_refusal_has_a_status():
    assert set(STATUS) == set(RefusalCode)


@given(st.sampled_from(list(RefusalCode)), st.text(st.characters(categories=["L", "N"]), max_size=300))
def test_a_refusal_comes_back_from_its_own_bytes(code, message):
    refusal = Refusal(code, message)

    assert refusal_from(STATUS[code], "", body_of(refusal)) == refusal


@given(st.integers(100, 599), st.text(), st.binary() | st.from_type(str).map(str.encode))
@example(404, "Not Found", b"[" * 60_000)
@example(404, "Not Found", b'{"error": ["busy"]}')
@example(404, "Not Found", b'{"error": "busy", "message": {}}')
def test_reading_a_foreign_refusal_never_fails(status, reason, body):
    assert isinstance(refusal_from(status, reason, body), Refusal)


def test_a_strangers_message_is_cut_and_cleaned():
    body = json.dumps({"error": "busy", "message": "\x1b[2J" + "a" * 1000}).encode()
    refusal = refusal_from(503, "", body)

    assert refusal.message == " [2J" + "a" * 296


@pytest.mark.parametrize(
    ("path", "open_route", "covered_route"),
    [
        ("/offer", Route.OFFER, Route.OFFER),
        ("/ice-candidate", Route.CANDIDATE, RefusalCode.NOT_FOUND),
        ("/roster", RefusalCode.NOT_FOUND, Route.ROSTER),
        ("/pair", RefusalCode.NOT_FOUND, Route.PAIR),
    ],
)
def test_a_device_that_hides_its_name_has_other_paths(path, open_route, covered_route):
    for name, expected in (("tablet-1", open_route), (None, covered_route)):
        outcome = judge(head(path=path), name, 100)
        assert (code_of(outcome) if isinstance(outcome, Rejection) else outcome) is expected


def test_a_device_that_hides_its_name_takes_no_name_and_tells_none():
    outcome = judge(head(hosts=("tablet-1.local:8090",)), None, 100)
    assert isinstance(outcome, Rejection)
    assert outcome.refusal == Refusal(RefusalCode.FORBIDDEN, "the Host header must be an address or localhost")
