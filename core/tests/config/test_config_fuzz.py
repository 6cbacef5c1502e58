"""Whatever comes in, there is a `Config` or a `ConfigError`, and what came in is unchanged."""

from __future__ import annotations

import copy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hallway.config import Config, config_from_mapping, load_config
from hallway.errors import ConfigError

CORE_KEYS = ("security", "device", "id", "property", "type", "discovery", "signaling", "channel", "chain", "network", "deny", "delivery")
PLUGIN_KEYS = ("plugins", "t-http", "t-rtc", "t-cloud", "port", "ratio", "ice_servers", "urls", "labels", "port_range", "tuning", "colour")
KEYS = st.sampled_from(CORE_KEYS) | st.sampled_from(PLUGIN_KEYS) | st.text(max_size=5)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=8)
    | st.dates()
    | st.sampled_from(["open", "sealed", "tablet-1", "t-http", "t-rtc", "t-find", "red"])
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20)
VALID = {
    "security": "open",
    "device": {"id": "a", "property": "p"},
    "discovery": {"chain": []},
    "signaling": {"chain": ["t-http"]},
    "channel": {"chain": ["t-rtc"]},
}
quiet = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def outcome(call):
    try:
        return call()
    except ConfigError as error:  # printable, and not without a mistake
        return error if str(error).encode() and error.mistakes else None


@quiet
@given(raw=st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_tables_give_a_config_or_mistakes_and_stay_as_they_were(extra, raw):
    before = copy.deepcopy(raw)
    assert isinstance(outcome(lambda: config_from_mapping(raw, extra=extra)), Config | ConfigError)
    assert repr(raw) == repr(before)


@quiet
@given(tables=st.dictionaries(st.sampled_from(["t-http", "t-rtc", "t-cloud", "network"]), VALUES, max_size=3))
def test_any_plugin_tables_give_a_config_or_mistakes(extra, tables):
    network = {"network": tables.pop("network")} if "network" in tables else {}
    raw = VALID | network | {"plugins": tables}
    assert isinstance(outcome(lambda: config_from_mapping(raw, extra=extra)), Config | ConfigError)


@quiet
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_file_gives_a_config_or_mistakes(extra, tmp_path, content):
    path = tmp_path / "device.toml"
    path.write_bytes(content)
    assert isinstance(outcome(lambda: load_config(path, environ={}, extra=extra)), ConfigError)


NAMES = st.lists(st.sampled_from(["DEVICE", "ID", "PLUGINS", "T_HTTP", "PORT", "T_RTC", "LABELS", "", "X", "é"]), max_size=5).map("__".join)


@quiet
@given(
    environ=st.dictionaries(NAMES.map("HALLWAY_{}".format) | st.text(), st.text(st.characters(codec=None), max_size=20), max_size=4),
    overrides=st.lists(st.text(max_size=20) | st.tuples(KEYS, KEYS, st.text()).map(lambda t: f"{t[0]}.{t[1]}={t[2]}"), max_size=3),
)
def test_any_environment_and_overrides_give_a_config_or_mistakes(extra, environ, overrides):
    call = lambda: load_config(environ=environ, overrides=overrides, extra=extra)  # noqa: E731
    assert isinstance(outcome(call), Config | ConfigError)
