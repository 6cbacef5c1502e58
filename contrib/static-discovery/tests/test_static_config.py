"""What an operator may write, and what is said of a slip."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.config import load_config
from hallway.errors import ConfigError
from hallway_static_discovery._places import endpoint
from hallway_static_discovery.config import StaticConfig
from hallway_static_discovery.errors import BadPlace

BASE = ["security=open", "device.id=tablet-1", "device.property=hotel-1", 'discovery.chain=["static"]']


def loaded(*overrides: str, environ: dict[str, str] | None = None) -> StaticConfig:
    config: Any = load_config(environ=environ or {}, overrides=[*BASE, *overrides]).plugins["static"]
    assert isinstance(config, StaticConfig)
    return config


def mistakes(*overrides: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        loaded(*overrides)
    assert all(mistake.suggestion for mistake in caught.value.mistakes)
    return {mistake.path.removeprefix("plugins.static."): mistake.problem for mistake in caught.value.mistakes}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("10.0.0.7", "http://10.0.0.7:8090"),
        ("10.0.0.7:8091", "http://10.0.0.7:8091"),
        ("http://10.0.0.7:8091", "http://10.0.0.7:8091"),
        ("HTTP://10.0.0.7:8091/", "http://10.0.0.7:8091"),
        ("fd77::12", "http://[fd77::12]:8090"),
        ("FD77:0:0::12", "http://[fd77::12]:8090"),
        ("[fd77::12]", "http://[fd77::12]:8090"),
        ("[fd77::12]:8091", "http://[fd77::12]:8091"),
        ("http://[fd77:0::12]:8091", "http://[fd77::12]:8091"),
        ("127.0.0.1", "http://127.0.0.1:8090"),
        ("tablet-2", "http://tablet-2:8090"),
        ("Tablet-2.hotel.example:8091", "http://tablet-2.hotel.example:8091"),
        ("http://tablet-2.hotel.example.:8090", "http://tablet-2.hotel.example.:8090"),
        ("memory://tablet-2", "memory://tablet-2"),
        ("folder:///srv/hallway", "folder:///srv/hallway"),
    ],
)
def test_an_address_a_name_or_a_url_becomes_an_endpoint(text: str, url: str):
    assert endpoint(text) == url
    assert endpoint(url) == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "neither an address nor a URL"),
        ("10.0.0.7 8090", "neither an address nor a URL"),
        ("tablet\N{LATIN SMALL LETTER U WITH DIAERESIS}", "neither an address nor a URL"),
        ("10.0.0.300", "neither an address nor a DNS name"),
        ("10.0.7", "neither an address nor a DNS name"),
        ("http://134744072:8090", "neither an address nor a DNS name"),
        ("tablet_2", "neither an address nor a DNS name"),
        ("cloud-ws:tablet-2", "cannot be read"),
        ("10.0.0.7:0", "names no port"),
        ("10.0.0.7:70000", "cannot be read"),
        ("10.0.0.7:port", "cannot be read"),
        ("http://10.0.0.7", "names no port; a device listens on 8090"),
        ("http://:8090", "names no host"),
        ("http://", "is no URL"),
        ("://10.0.0.7", "is no URL"),
        ("http://10.0.0.7:8090/offer", "more than a host and a port"),
        ("http://me@10.0.0.7:8090", "more than a host and a port"),
        ("10.0.0.7/24", "more than a host and a port"),
        ("tablet-2.local", "only multicast DNS knows"),
        ("fe80::1", "link-local IPv6"),
        ("fe80::1%eth0", "link-local IPv6"),
        ("::ffff:10.0.0.7", "IPv4 in IPv6"),
        ("224.0.0.251", "multicast"),
        ("0.0.0.0", "none"),
        ("fd77::12:8090:http", "cannot be read"),
    ],
)
def test_what_is_no_place_is_refused_in_words_that_show_it(text: str, problem: str):
    with pytest.raises(BadPlace, match=problem) as caught:
        endpoint(text)
    assert str(caught.value).startswith(f"'{text}'") or not text.isascii()


@pytest.mark.fuzz
@given(st.text(max_size=40) | st.from_regex(r"\A(http://)?[\[\]0-9a-fA-F:.%@/-]{0,30}\Z"))
def test_any_text_is_an_endpoint_that_stays_one_or_is_refused(text: str):
    try:
        url = endpoint(text)
    except BadPlace:
        return
    assert endpoint(url) == url


def test_a_table_an_option_and_a_variable_say_the_same():
    expected = {"tablet-2": ("http://10.0.0.7:8090",), "tablet-3": ("http://10.0.0.8:8090", "http://10.0.0.9:8091")}
    table = '{tablet-2 = "10.0.0.7", tablet-3 = ["10.0.0.8", "10.0.0.9:8091"]}'

    assert loaded(f"plugins.static.peers={table}").endpoints() == expected
    assert loaded(environ={"HALLWAY_PLUGINS__STATIC__PEERS": table}).endpoints() == expected
    single = "plugins.static.peers.tablet-2=10.0.0.7", 'plugins.static.peers.tablet-3=["10.0.0.8","10.0.0.9:8091"]'
    assert loaded(*single).endpoints() == expected


def test_an_option_adds_a_peer_to_those_of_the_table():
    config = loaded('plugins.static.peers={tablet-2 = "10.0.0.7"}', "plugins.static.peers.tablet-3=http://10.0.0.8:8091")
    assert config.endpoints() == {"tablet-2": ("http://10.0.0.7:8090",), "tablet-3": ("http://10.0.0.8:8091",)}


def test_a_place_that_is_there_twice_is_one():
    assert loaded('plugins.static.peers.b=["10.0.0.7", "http://10.0.0.7:8090"]').endpoints() == {"b": ("http://10.0.0.7:8090",)}


def test_a_list_may_be_empty():
    assert loaded().endpoints() == {}


def test_every_slip_is_a_mistake_with_the_path_of_its_peer():
    table = '{good = "10.0.0.7", bad_id = "10.0.0.8", far = "10.0.0.300", GOOD = "10.0.0.9", none = [], many = ["a", "b", "c", "d", "e"]}'
    found = mistakes(f"plugins.static.peers={table}")

    assert {path: problem.partition(", ")[0] for path, problem in found.items()} == {
        "peers.bad_id": "is no device id: letters",
        "peers.far": "'10.0.0.300' has a host that is neither an address nor a DNS name",
        "peers.GOOD": "is good again: case does not count",
        "peers.none": "must be 1 to 4 places",
        "peers.many": "must be 1 to 4 places",
    }
    assert all(problem.endswith("as set by --set") for problem in found.values())


@pytest.mark.parametrize("value", ['["tablet-2=10.0.0.7"]', '[{id = "tablet-2", endpoints = []}]', "10.0.0.7"])
def test_what_is_no_table_is_refused_with_an_example(value: str):
    with pytest.raises(ConfigError) as caught:
        loaded(f"plugins.static.peers={value}")
    (mistake,) = caught.value.mistakes
    assert mistake.problem.startswith("must be a table")
    assert 'tablet-2 = "10.0.0.7"' in mistake.suggestion


def test_more_peers_than_a_device_can_know_are_refused():
    table = ", ".join(f'd{number} = "10.0.{number // 250}.{number % 250 + 1}"' for number in range(257))
    assert mistakes(f"plugins.static.peers={{{table}}}") == {"peers": "must be at most 256 peers, as set by --set"}
