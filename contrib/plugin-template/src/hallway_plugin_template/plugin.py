"""The hooks of `template`. Nothing heavy is imported before the factory is called."""

from __future__ import annotations

from collections.abc import Iterable

from hallway.interfaces import Discovery
from hallway.plugins import DiscoveryProvider, PluginContext, hookimpl
from hallway_plugin_template.config import NAME, TemplateConfig


def make_discovery(config: TemplateConfig, context: PluginContext) -> Discovery:
    """The discovery of one device; nothing is touched before its `start`."""
    from hallway_plugin_template.discovery import FolderDiscovery

    return FolderDiscovery(config, context)


@hookimpl
def hallway_discovery() -> Iterable[DiscoveryProvider]:
    """Offer `template`."""
    return [DiscoveryProvider(name=NAME, config_class=TemplateConfig, factory=make_discovery)]
