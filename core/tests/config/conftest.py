"""A signaling, a channel and a discovery plugin with config classes of every kind, passed to the loader as modules."""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from hallway.config import between, option
from hallway.model import IcePolicy, Mode
from hallway.plugins import ChannelProvider, DiscoveryProvider, SignalingProvider, hookimpl


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen
class Server:
    urls: str | tuple[str, ...] = option(help="where it is")
    credential: str | None = option(help="the password", default=None, secret=True)


@attrs.frozen
class HttpConfig:
    """Signaling for tests."""

    port: int = option(help="TCP port", default=8090, check=between(1, 65535))
    host: str = option(help="the address to bind", default="0.0.0.0")
    ratio: float = option(help="a share", default=0.5, check=between(0, 1))
    verbose: bool = option(help="talk more", default=False)


def check_labels(labels: Mapping[str, int]) -> dict[str, str]:
    return {name: "must not be negative" for name, number in labels.items() if number < 0}


@attrs.frozen
class RtcConfig:
    """A channel for tests."""

    ice_servers: tuple[Server, ...] = option(help="STUN and TURN servers", default=())
    port_range: tuple[int, int] | None = option(help="first and last port", default=None)
    colour: Colour = option(help="an enumeration", default=Colour.RED)
    style: Literal["plain", "fancy"] = option(help="a literal", default="plain")
    labels: Mapping[str, int] = option(help="free keys", factory=dict, check=check_labels)
    folder: Path | None = option(help="a path", default=None)
    tuning: HttpConfig = option(help="a table in a table", factory=HttpConfig)


@attrs.frozen
class CloudConfig:
    """A required key."""

    url: str = option(help="the URL of the signaling server")
    token: str = option(help="the token", default="", secret=True)


@attrs.frozen
class EmptyConfig:
    """Nothing to configure."""


def refuse(config: Any, context: Any) -> Any:
    raise AssertionError("configuration makes no plugin")


def module(hook: str, *records: Any) -> types.ModuleType:
    made = types.ModuleType(f"plugin_{records[0].name}".replace("-", "_"))
    setattr(made, hook, hookimpl(lambda: list(records), specname=hook))
    return made


def signaling(name: str, config_class: type) -> types.ModuleType:
    record = SignalingProvider(
        name=name,
        config_class=config_class,
        factory=refuse,
        mode=Mode.LOCAL,
        ice_policy=IcePolicy.LAN,
        schemes=frozenset({"test"}),
    )
    return module("hallway_signaling", record)


@pytest.fixture
def extra() -> dict[str, dict[str, Any]]:
    """Plugins ``t-http``, ``t-cloud``, ``t-rtc`` and ``t-find``."""
    return {
        "hallway.discovery": {
            "t-find": module("hallway_discovery", DiscoveryProvider(name="t-find", config_class=EmptyConfig, factory=refuse)),
        },
        "hallway.signaling": {"t-http": signaling("t-http", HttpConfig), "t-cloud": signaling("t-cloud", CloudConfig)},
        "hallway.channel": {
            "t-rtc": module("hallway_channel", ChannelProvider(name="t-rtc", config_class=RtcConfig, factory=refuse, kind="test")),
        },
    }


BASE = """\
security = "open"
[device]
id = "tablet-1"
property = "property-123"
[discovery]
chain = ["t-find"]
[signaling]
chain = ["t-http"]
[channel]
chain = ["t-rtc"]
"""


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path is short: mistakes name files, and cut what is long."""
    return tmp_path_factory.mktemp("c")


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Write a file that names the test plugins, followed by ``text``, and return its path."""

    def write(text: str = "", base: str = BASE) -> Path:
        path = tmp_path / "device.toml"
        path.write_text(base + text, encoding="utf-8")
        return path

    return write
