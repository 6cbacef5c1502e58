"""The hooks of the plugin `static`."""

from __future__ import annotations

from collections.abc import Iterable

from hallway.interfaces import Discovery
from hallway.plugins import DiscoveryProvider, PluginContext, hookimpl
from hallway_static_discovery.config import NAME, StaticConfig


def make_discovery(config: StaticConfig, context: PluginContext) -> Discovery:
    """The discovery of one device."""
    from hallway_static_discovery.discovery import StaticDiscovery

    return StaticDiscovery(config, context)


@hookimpl
def hallway_discovery() -> Iterable[DiscoveryProvider]:
    """Offer the list."""
    return [DiscoveryProvider(name=NAME, config_class=StaticConfig, factory=make_discovery)]
