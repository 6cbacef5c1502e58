from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from hallway.errors import PluginError
from hallway_mdns_discovery import _contract, plugin
from hallway_mdns_discovery.config import MdnsConfig


def test_the_entry_point_offers_mdns():
    (entry,) = [entry for entry in entry_points(group="hallway.discovery") if entry.name == "mdns"]
    (provider,) = entry.load().hallway_discovery()
    assert (provider.name, provider.config_class, provider.factory) == ("mdns", MdnsConfig, plugin.make_discovery)


def test_loading_the_plugin_does_not_import_zeroconf():
    code = "import sys, hallway_mdns_discovery.plugin; sys.exit('zeroconf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_whatever_is_gone_from_zeroconf_is_named(monkeypatch):
    monkeypatch.setitem(_contract.ATTRIBUTES, "zeroconf:DNSRecord", ("ttl", "vanished"))
    monkeypatch.setitem(_contract.ATTRIBUTES, "zeroconf:DNSLost", ("name",))
    monkeypatch.setitem(_contract.ATTRIBUTES, "zeroconf._lost:Thing", ("name",))
    with pytest.raises(PluginError, match=r"has no zeroconf:DNSRecord\.vanished, zeroconf:DNSLost, zeroconf\._lost:Thing"):
        _contract.check_library.__wrapped__()


def test_the_installed_zeroconf_is_what_we_rely_on():
    _contract.check_library.__wrapped__()


@pytest.mark.parametrize("use", ["plugin.make_discovery(MdnsConfig(), None)", "hallway_mdns_discovery.LocalPeerDiscovery"])
def test_a_zeroconf_that_cannot_be_used_is_a_plugin_error_and_no_import_error(use):
    code = (
        "import hallway_mdns_discovery, zeroconf\n"
        "from hallway.errors import PluginError\n"
        "from hallway_mdns_discovery import plugin\n"
        "from hallway_mdns_discovery.config import MdnsConfig\n"
        "del zeroconf.DNSOutgoing\n"
        f"try: {use}\n"
        "except PluginError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "has no zeroconf:DNSOutgoing" in told
