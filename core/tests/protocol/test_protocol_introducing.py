from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.model import DeviceInfo, PeerRecord
from hallway.protocol.chain import MAX_ENDPOINTS
from hallway.protocol.introducing import FIRST_PAUSE, MAX_TOLD, PAUSE, Told, dumps, loads, merged

ME, OTHER = DeviceInfo("tablet-1", "hotel-1", "tablet", "e1"), DeviceInfo("desk", "hotel-1", "pc", "e2")
URL = "http://10.0.0.7:8090"


def record(name: str, *endpoints: str, epoch: str | None = "e9") -> PeerRecord:
    return PeerRecord(name, "hotel-1", "tablet", endpoints, epoch)


def test_what_one_tells_another_understands():
    told = dumps(ME, [URL], [record("tablet-2", "http://a:1"), record("tablet-3", "http://b:1", epoch=None)])
    assert loads(told, "tablet-1", OTHER) == {
        "tablet-1": PeerRecord("tablet-1", "hotel-1", "tablet", (URL,), "e1"),
        "tablet-2": record("tablet-2", "http://a:1"),
        "tablet-3": record("tablet-3", "http://b:1", epoch=None),
    }


def test_a_device_is_not_told_of_itself():
    assert list(loads(dumps(ME, [URL], [record("DESK", "http://a:1")]), "tablet-1", OTHER)) == ["tablet-1"]


def test_whoever_has_no_endpoint_is_not_told_of():
    assert loads(dumps(ME, [], [record("tablet-2")]), "tablet-1", OTHER) == {}


def test_a_tellers_own_word_counts_for_itself():
    told = dumps(ME, [URL], []) | {"peers": [{"id": "Tablet-1", "endpoints": ["http://liar:1"]}]}
    assert loads(told, "tablet-1", OTHER)["tablet-1"].endpoints == (URL,)


def test_what_several_tell_of_one_peer_is_tried_by_turns_and_its_own_word_alone():
    liar, friend = [f"http://liar:{port}" for port in range(1, 5)], ["http://friend:1"]
    heard = {"liar": {"b": record("b", *liar)}, "Friend": {"b": record("b", *friend)}}
    assert merged(heard)["b"].endpoints == ("http://liar:1", "http://friend:1", "http://liar:2", "http://liar:3")
    assert merged(heard | {"B": {"b": record("b", URL)}})["b"].endpoints == (URL,)


@pytest.mark.parametrize("url", ["http://[x", "http://a]b/", "http://a:99999", "http://a:b"])
def test_an_endpoint_that_cannot_be_read_is_left_out_and_hides_nobody(url):
    told = {"peers": [{"id": "bad", "endpoints": [url]}, {"id": "good", "endpoints": [url, URL]}]}
    assert {key: each.endpoints for key, each in loads(told, "tablet-1", OTHER).items()} == {"good": (URL,)}


def test_much_is_cut():
    told = dumps(ME, [f"http://a:{port}" for port in range(1, 30)], [record(f"t-{number}", "http://a:1") for number in range(200)])
    heard = loads(told, "tablet-1", OTHER)
    assert len(heard) == MAX_TOLD + 1
    assert len(heard["tablet-1"].endpoints) == MAX_ENDPOINTS
    assert len(loads({"peers": [{"id": f"t-{n}", "endpoints": ["x://y"]} for n in range(500)]}, "tablet-1", OTHER)) == MAX_TOLD


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {"peers": 1},
        {
            "peers": [
                1,
                None,
                {},
                {"id": "../x", "endpoints": [URL]},
                {"id": "a", "endpoints": "http://a"},
                {"id": "a", "endpoints": [1, ""]},
            ]
        },
        {"endpoints": ["no url", "http://\n", "x" * 300 + "://"], "type": 3, "epoch": []},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_left_out(body):
    assert loads(body, "tablet-1", OTHER) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["peers", "id", "endpoints", "type", "epoch"]), inner),
)


@pytest.mark.fuzz
@given(JSON)
def test_whatever_is_told_gives_records_of_our_property_or_nothing(body):
    for key, heard in loads(body, "tablet-1", OTHER).items():
        assert heard.property_id == "hotel-1"
        assert heard.device_id.lower() == key != "desk"
        assert 0 < len(heard.endpoints) <= MAX_ENDPOINTS


class TestTold:
    def told(self) -> Told:
        told = Told()
        told.linked({"a": 1, "b": 2}, 0.0)
        return told

    def test_a_peer_is_told_soon_after_it_was_linked_and_never_the_same_twice(self):
        told = self.told()
        assert told.due("a", "news", 0.0) == pytest.approx(FIRST_PAUSE)
        assert told.due("a", "news", FIRST_PAUSE) == pytest.approx(0)
        told.told("a", "news", FIRST_PAUSE)
        assert told.due("a", "news", 100.0) is None

    def test_more_news_wait_a_moment(self):
        told = self.told()
        told.told("a", 1, 1.0)
        assert told.due("a", 2, 1.25) == pytest.approx(PAUSE - 0.25)
        assert told.due("b", 2, 1.25) == 0

    def test_a_peer_that_went_is_told_anew(self):
        told = self.told()
        told.told("a", 1, 0.0)
        told.linked({"b": 2}, 1.0)
        told.linked({"a": 1, "b": 2}, 2.0)
        assert told.due("a", 1, 2.0 + FIRST_PAUSE) == pytest.approx(0)

    def test_a_peer_that_is_linked_over_another_channel_is_told_anew_and_nobody_else(self):
        told = self.told()
        told.told("a", 1, 0.0)
        told.told("b", 1, 0.0)
        told.linked({"a": 3, "b": 2}, 2.0)
        assert told.due("a", 1, 2.0) == pytest.approx(FIRST_PAUSE)
        assert told.due("b", 1, 2.0) is None

    def test_a_peer_that_has_not_answered_is_told_again(self):
        told = self.told()
        told.told("a", 1, 1.0)
        told.missed("a")
        told.missed("gone")
        assert told.due("a", 1, 2.0) == pytest.approx(PAUSE - 1.0)
