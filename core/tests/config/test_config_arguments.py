from __future__ import annotations

import copy

import pytest

from hallway.config import config_from_arguments, config_from_mapping
from hallway.errors import ConfigError


@pytest.fixture
def build(extra):
    defaults = {"security": "open", "discovery": ["t-find"], "signaling": ["t-http"], "channel": ["t-rtc"], "extra": extra}
    return lambda *args, **kwargs: config_from_arguments(*args, **(defaults | kwargs))


def paths(build, *args, **kwargs) -> set[str]:
    with pytest.raises(ConfigError) as caught:
        build(*args, **kwargs)
    return {mistake.path for mistake in caught.value.mistakes}


def test_arguments_become_keys(build):
    config = build("a", "p", "tablet", interfaces=["eth*"], deny=[], plugins={"t-http": {"port": 1}})
    assert (config.device.id, config.device.property, config.device.type) == ("a", "p", "tablet")
    assert (config.network.interfaces, config.network.deny) == (("eth*",), ())
    assert config.plugins["t-http"].port == 1


def test_the_environment_plays_no_part(build, monkeypatch):
    monkeypatch.setenv("HALLWAY_DEVICE__ID", "other")
    assert build("a", "p").device.id == "a"


def test_a_device_is_enrolled_or_says_that_it_is_open(build):
    assert paths(build, "a", "p", security=None) == {"trust.state"}
    assert build(security=None, trust_state="/state").security == "sealed"
    assert paths(build) == {"device.id", "device.property"}


def test_the_local_port_is_that_of_http_local(build):
    assert build("a", "p", local_signaling_port=8095).plugins["http-local"].port == 8095
    assert paths(build, "a", "p", local_signaling_port="8095") == {"plugins.http-local.port"}


def test_ice_servers_are_those_of_aiortc(build):
    assert len(build("a", "p", ice_servers=[{"urls": "stun:stun.example.org:3478"}]).plugins["aiortc"].ice_servers) == 1


def test_a_cloud_joins_the_signaling_chain_on_the_preferred_side(extra):
    build = {"security": "open", "discovery": [], "channel": ["t-rtc"], "extra": extra, "cloud_signaling_url": "wss://x"}
    local_first = config_from_arguments("a", "p", **build)
    assert local_first.chain("signaling") == ("http-local", "cloud-ws")
    assert local_first.plugins["cloud-ws"].url == "wss://x"
    assert config_from_arguments("a", "p", **build, prefer_local=False).chain("signaling") == ("cloud-ws", "http-local")
    own = config_from_arguments("a", "p", **build, signaling=["cloud-ws", "t-http"])
    assert own.chain("signaling") == ("cloud-ws", "t-http")


def test_the_given_tables_are_left_as_they_are(build, extra):
    tables = {"http-local": {"port": 8090}, "t-rtc": {"labels": {"a": 1}}}
    before = copy.deepcopy(tables)
    assert build("a", "p", plugins=tables, local_signaling_port=8091).plugins["http-local"].port == 8091
    assert tables == before


@pytest.mark.parametrize("device_id", [None, 5, "", "a" * 64, "é", b"a", ["a"]])
def test_a_device_id_that_is_none_is_a_mistake(build, device_id):
    assert paths(build, device_id, "p") == {"device.id"}


def test_a_mapping_that_contains_itself_is_refused(extra):
    raw: dict = {}
    raw["device"] = raw
    with pytest.raises(ConfigError):
        config_from_mapping(raw, extra=extra)
