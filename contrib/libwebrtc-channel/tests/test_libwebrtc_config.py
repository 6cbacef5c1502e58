"""The keys of the plugin, how it presents itself, and what it says where libwebrtc is not there."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import attrs
import pytest

from hallway.config.loading import config_from_arguments
from hallway.errors import PluginError
from hallway.model import DeviceInfo
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway.plugins.manager import load_plugins
from hallway_libwebrtc_channel import LibwebrtcConfig, LibwebrtcConnector, engine, plugin


@pytest.fixture
def context() -> PluginContext:
    return PluginContext(DeviceInfo("a", "p"), InterfacePolicy(), Resolver())


@pytest.fixture
def unready(monkeypatch) -> None:
    """The engine is looked at afresh."""
    monkeypatch.setattr(plugin, "ready_engine", engine.ready_engine.__wrapped__)


def test_the_defaults_are_a_lan_without_servers():
    assert LibwebrtcConfig() == LibwebrtcConfig(ice_servers=(), port_range=None)


@pytest.mark.parametrize(("ports", "fine"), [(None, True), ((49152, 65535), True), ((5000, 5062), False), ((80, 9000), False)])
def test_port_ranges_are_checked(ports, fine):
    check = attrs.fields_dict(LibwebrtcConfig)["port_range"].metadata["check"]
    assert (check(ports) is None) is fine


def test_the_hook_offers_one_provider_of_kind_webrtc(context):
    (provider,) = plugin.hallway_channel()
    assert (provider.name, provider.kind, provider.config_class) == ("libwebrtc", "webrtc", LibwebrtcConfig)
    assert isinstance(provider.factory(LibwebrtcConfig(), context), LibwebrtcConnector)


def test_listing_the_plugin_does_not_import_libwebrtc():
    code = "import sys, hallway_libwebrtc_channel.plugin as p; list(p.hallway_channel()); sys.exit('wrtc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.usefixtures("unready")
def test_where_wrtc_is_not_installed_the_error_says_so(monkeypatch, context):
    def nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(engine, "version", nothing)
    with pytest.raises(PluginError, match="the package wrtc is not installed") as caught:
        plugin.make_connector(LibwebrtcConfig(), context)
    assert "install wrtc" in caught.value.hint


@pytest.mark.usefixtures("unready")
def test_another_series_of_wrtc_is_named(monkeypatch, context):
    monkeypatch.setattr(engine, "SUPPORTED", "9.9")
    with pytest.raises(PluginError, match=r"wrtc 0\.1\.\d+ is installed, 9\.9\.\* is needed"):
        plugin.make_connector(LibwebrtcConfig(), context)


@pytest.mark.usefixtures("unready")
def test_where_wrtc_cannot_be_imported_the_chain_has_the_rest(monkeypatch, context):
    monkeypatch.setitem(sys.modules, "webrtc", None)
    registry = load_plugins(config_from_arguments(device_id="a", property_id="p", security="open", channel=("libwebrtc", "memory")))
    first, second = registry.channel
    with pytest.raises(PluginError, match="wrtc cannot be imported"):
        registry.make(first, context)
    assert registry.make(second, context)
