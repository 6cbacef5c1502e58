"""How plugins join: stevedore finds them by entry point, pluggy binds their hooks, typed records say what they offer."""

import pluggy

from hallway.plugins.providers import ChannelProvider, DiscoveryProvider, PluginContext, Provider, SignalingProvider

hookimpl = pluggy.HookimplMarker("hallway")
"""Marks a function of a plugin module as the implementation of the hook of the same name."""

__all__ = ["ChannelProvider", "DiscoveryProvider", "PluginContext", "Provider", "SignalingProvider", "hookimpl"]
