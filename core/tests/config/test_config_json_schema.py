from __future__ import annotations

import json
import tomllib

import jsonschema
import pytest

from hallway.config import json_schema, load_config

# The example of the design, without what a later version brings (cloud-ws, delivery).
EXAMPLE = """
security = "open"
[device]
id = "tablet-1"
property = "property-123"
type = "tablet"
[discovery]
chain = ["mdns"]
[signaling]
chain = ["http-local"]
[channel]
chain = ["aiortc"]
[network]
interfaces = ["*"]
deny = ["docker*", "veth*", "tun*", "wg*"]
[plugins.http-local]
port = 8090
[plugins.aiortc]
ice_servers = [{ urls = "stun:stun.example.org:3478" }]
port_range = [49152, 65535]
"""


@pytest.fixture
def validator(extra):
    schema = json.loads(json.dumps(json_schema(extra=extra), allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_example_satisfies_the_schema_and_loads(validator, tmp_path):
    validator.validate(tomllib.loads(EXAMPLE))
    path = tmp_path / "tablet-1.toml"
    path.write_text(EXAMPLE)
    assert load_config(path, environ={}).device.type == "tablet"


@pytest.mark.parametrize(
    "text",
    [
        "[plugins.t-http]\nport = 0",
        "[plugins.t-http]\nport = 1.5",
        "[plugins.t-http]\nprot = 1",
        "[plugins.nonsense]",
        "[plugins.t-cloud]",
        "[plugins.t-rtc]\nport_range = [1]",
        "[plugins.t-rtc]\nport_range = [1, 2, 3]",
        "[plugins.t-rtc]\ncolour = 'green'",
        "[plugins.t-rtc]\nice_servers = [{}]",
        "[plugins.t-rtc]\nice_servers = [{urls = 1}]",
        "[plugins.t-rtc]\nlabels = {a = 'x'}",
        "[delivery]\nstore = 1",
    ],
)
def test_the_schema_refuses_what_loading_refuses(validator, text):
    assert not validator.is_valid(tomllib.loads(EXAMPLE + ("" if "plugins.aiortc" in text else text)))


@pytest.mark.parametrize(
    "text", ["ice_servers = [{urls = ['a']}]", "labels = {a = 1}", "port_range = [1, 2]", "colour = 'red'", "tuning = {}"]
)
def test_the_schema_admits_what_loading_admits(validator, text):
    validator.validate(tomllib.loads(f"{EXAMPLE}[plugins.t-rtc]\n{text}"))


def test_chains_offer_what_is_installed(validator):
    chain = validator.schema["properties"]["signaling"]["properties"]["chain"]
    assert {"http-local", "t-http", "t-cloud"} <= set(chain["items"]["enum"])
    assert (chain["minItems"], chain["uniqueItems"]) == (1, True)


def test_every_key_of_the_core_is_described(validator):
    for section in validator.schema["properties"].values():
        assert section["description"]
        assert all(key["description"] for name, key in section.get("properties", {}).items())


def test_a_secret_has_no_default_in_the_schema(validator):
    assert "default" not in validator.schema["properties"]["plugins"]["properties"]["t-cloud"]["properties"]["token"]
