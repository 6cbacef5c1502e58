from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

from hallway_mdns_discovery import plugin
from hallway_mdns_discovery.config import MdnsConfig


def test_the_entry_point_offers_mdns():
    (entry,) = [entry for entry in entry_points(group="hallway.discovery") if entry.name == "mdns"]
    (provider,) = entry.load().hallway_discovery()
    assert (provider.name, provider.config_class, provider.factory) == ("mdns", MdnsConfig, plugin.make_discovery)


def test_loading_the_plugin_does_not_import_zeroconf():
    code = "import sys, hallway_mdns_discovery.plugin; sys.exit('zeroconf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
