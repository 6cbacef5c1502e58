"""The hooks of the plugin `mdns`."""

from __future__ import annotations

from collections.abc import Iterable

from hallway.interfaces import Discovery
from hallway.plugins import DiscoveryProvider, PluginContext, hookimpl
from hallway_mdns_discovery.config import MdnsConfig


def make_discovery(config: MdnsConfig, context: PluginContext) -> Discovery:
    """Make the discovery of one device; zeroconf is imported here and not before.

    Raises:
        PluginError: the installed zeroconf is not one that this plugin can use.

    """
    from hallway_mdns_discovery._contract import check_library

    check_library()
    from hallway_mdns_discovery.discovery import MdnsDiscovery

    return MdnsDiscovery(config, context)


@hookimpl
def hallway_discovery() -> Iterable[DiscoveryProvider]:
    """Offer mDNS."""
    return [DiscoveryProvider(name="mdns", config_class=MdnsConfig, factory=make_discovery)]
