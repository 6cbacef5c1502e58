from __future__ import annotations

import pytest

from hallway.config import load_config
from hallway.errors import ConfigError


@pytest.fixture
def load(write, extra):
    return lambda environ=None, overrides=(), text="": load_config(write(text), environ=environ or {}, overrides=overrides, extra=extra)


def mistakes(load, *args, **kwargs) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return {mistake.path: f"{mistake.problem} ({mistake.suggestion})" for mistake in caught.value.mistakes}


def test_set_beats_environment_beats_file(load):
    variables = {"HALLWAY_PLUGINS__T_HTTP__PORT": "2"}
    text = "[plugins.t-http]\nport = 1\n"
    assert load(text=text).plugins["t-http"].port == 1
    assert load(variables, text=text).plugins["t-http"].port == 2
    assert load(variables, ["plugins.t-http.port=3"], text).plugins["t-http"].port == 3
    assert load(variables, ["plugins.t-http.port=3", "plugins.t-http.port=4"], text).plugins["t-http"].port == 4


@pytest.mark.parametrize(
    ("name", "value", "read", "expected"),
    [
        ("HALLWAY_DEVICE__ID", "desk", lambda c: c.device.id, "desk"),
        ("HALLWAY_DEVICE__ID", "101", lambda c: c.device.id, "101"),
        ("HALLWAY_DEVICE__ID", '"101"', lambda c: c.device.id, "101"),
        ("HALLWAY_DEVICE__TYPE", "true", lambda c: c.device.type, "true"),
        ("HALLWAY_NETWORK__INTERFACES", '["eth*"]', lambda c: c.network.interfaces, ("eth*",)),
        ("HALLWAY_DEVICE", '{ id = "a", property = "b" }', lambda c: c.device.property, "b"),
        ("HALLWAY_PLUGINS__T_HTTP__VERBOSE", "true", lambda c: c.plugins["t-http"].verbose, True),
        ("HALLWAY_PLUGINS__T_HTTP__HOST", "::1", lambda c: c.plugins["t-http"].host, "::1"),
        ("HALLWAY_PLUGINS__T_CLOUD__URL", "wss://x/#y", lambda c: c.plugins["t-cloud"].url, "wss://x/#y"),
        ("HALLWAY_PLUGINS__T_RTC__ICE_SERVERS", '[{urls="stun:x"}]', lambda c: c.plugins["t-rtc"].ice_servers[0].urls, "stun:x"),
        ("HALLWAY_PLUGINS__T_RTC__PORT_RANGE", "[1, 2]", lambda c: c.plugins["t-rtc"].port_range, (1, 2)),
        ("HALLWAY_PLUGINS__T_RTC__TUNING__PORT", "7", lambda c: c.plugins["t-rtc"].tuning.port, 7),
        ("HALLWAY_PLUGINS__T_RTC__LABELS__ROOM", "7", lambda c: c.plugins["t-rtc"].labels, {"room": 7}),
    ],
)
def test_every_key_has_a_variable(load, name, value, read, expected):
    assert read(load({name: value})) == expected


def test_variables_that_are_not_keys_are_left_alone(load):
    assert load({"HALLWAY_LOG": "debug", "HALLWAY": "x", "hallway_device__id": "x", "PATH": "/"}).device.id == "tablet-1"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("HALLWAY_DEVCIE__ID", "HALLWAY_DEVICE__ID"),
        ("HALLWAY_DEVICE__IDD", "HALLWAY_DEVICE__ID"),
        ("HALLWAY_PLUGINS__T_HTPT__PORT", "HALLWAY_PLUGINS__T_HTTP__PORT"),
        ("HALLWAY_PLUGINS__T_HTTP__PROT", "HALLWAY_PLUGINS__T_HTTP__PORT"),
        ("HALLWAY_SECURITY__X", "HALLWAY_SECURITY?"),
        ("HALLWAY_DEVICE__ID__FOO", "HALLWAY_DEVICE__ID?"),
        ("HALLWAY_PLUGINS__T_RTC__PORT_RANGE__LOW", "HALLWAY_PLUGINS__T_RTC__PORT_RANGE?"),
        ("HALLWAY_SECURTY", "HALLWAY_SECURITY?"),
        ("HALLWAY_DEVICE_ID", "HALLWAY_DEVICE__ID?"),
        ("HALLWAY_PLUGINS_T_HTTP_PORT", "HALLWAY_PLUGINS__T_HTTP__PORT?"),
        ("HALLWAY_VERBOSE", "HALLWAY_PLUGINS__T_HTTP__VERBOSE?"),
        ("HALLWAY_PORT", "__PORT?"),
        ("HALLWAY_NONSENSE", ""),
        ("HALLWAY_", ""),
        ("HALLWAY_DEVICE__", ""),
        ("HALLWAY___", ""),
    ],
)
def test_a_variable_without_a_key_is_a_mistake(load, name, suggestion):
    found = mistakes(load, {name: "1"})
    assert list(found) == [name]
    assert suggestion in found[name]
    assert f"{name}?" not in found[name]


def test_a_wrong_value_names_the_variable_that_brought_it(load):
    found = mistakes(load, {"HALLWAY_PLUGINS__T_HTTP__PORT": "x", "HALLWAY_NETWORK__DENY": "[1]"}, ["device.id=?"])
    assert "as set by HALLWAY_PLUGINS__T_HTTP__PORT" in found["plugins.t-http.port"]
    assert "as set by HALLWAY_NETWORK__DENY" in found["network.deny[0]"]
    assert "as set by --set" in found["device.id"]


@pytest.mark.parametrize("text", ["x", "=1", "a b=1", "a.=1", "a\n=1", "", "a = 1\nb=2"])
def test_a_set_that_is_no_assignment_is_a_mistake(load, text):
    assert any("--set" in path or "--set" in problem for path, problem in mistakes(load, {}, [text]).items())


@pytest.mark.parametrize(
    "key", ["device.id.foo", "security.x", "plugins.t-rtc.port_range.low", "network.deny.x", "plugins.t-http.port.a.b"]
)
def test_a_set_that_goes_through_a_value_is_a_mistake(load, key):
    ((path, text),) = mistakes(load, {}, [f"{key}=1"]).items()
    assert path == f"--set {key}"
    assert "is no table" in text


def test_a_set_may_go_through_tables_with_free_keys_and_through_what_is_not_known(load):
    assert load({}, ["plugins.t-rtc.labels.room=7"]).plugins["t-rtc"].labels == {"room": 7}
    assert list(mistakes(load, {}, ["nonsense.a.b=7"])) == ["nonsense"]


def test_set_takes_quoted_keys_and_text_with_equals_signs(load):
    assert load({}, ['plugins."t-http".host=a=b']).plugins["t-http"].host == "a=b"


def test_a_misspelt_set_gets_a_suggestion(load):
    assert "did you mean port?" in mistakes(load, {}, ["plugins.t-http.prot=1"])["plugins.t-http.prot"]


def test_text_with_a_line_break_cannot_smuggle_in_another_key(load):
    assert load({"HALLWAY_PLUGINS__T_HTTP__HOST": "'a'\nport = 1"}).plugins["t-http"].host == "'a'\nport = 1"


def test_bytes_that_are_not_utf8_are_refused(load):
    assert "must be valid UTF-8" in mistakes(load, {"HALLWAY_PLUGINS__T_HTTP__HOST": "\udc80"})["plugins.t-http.host"]


def test_a_variable_imports_only_the_plugin_that_it_names(write, extra, monkeypatch):
    class Untouchable:
        def __getattribute__(self, name):
            raise AssertionError("imported")

    monkeypatch.setitem(extra["hallway.signaling"], "t-cloud", Untouchable())
    assert load_config(write(), environ={"HALLWAY_PLUGINS__T_HTTP__PORT": "5"}, extra=extra).plugins["t-http"].port == 5
