"""The hooks of the memory plugins: one module for three roles."""

from __future__ import annotations

from collections.abc import Iterable

from hallway.model import IcePolicy, Mode
from hallway.plugins import ChannelProvider, DiscoveryProvider, PluginContext, SignalingProvider, hookimpl
from hallway.testing.memory.channel import KIND, MemoryConnector
from hallway.testing.memory.discovery import MemoryDiscovery
from hallway.testing.memory.hub import MemoryConfig, hub_named
from hallway.testing.memory.signaling import SCHEME, MemorySignaling


def _discovery(config: MemoryConfig, context: PluginContext) -> MemoryDiscovery:
    return MemoryDiscovery(context.device, hub_named(config.hub))


def _signaling(config: MemoryConfig, context: PluginContext) -> MemorySignaling:
    return MemorySignaling(context.device, hub_named(config.hub))


def _connector(config: MemoryConfig, _: PluginContext) -> MemoryConnector:
    return MemoryConnector(hub_named(config.hub))


@hookimpl
def hallway_discovery() -> Iterable[DiscoveryProvider]:
    """See `hallway.hookspecs.hallway_discovery`."""
    return [DiscoveryProvider(name="memory", config_class=MemoryConfig, factory=_discovery)]


@hookimpl
def hallway_signaling() -> Iterable[SignalingProvider]:
    """See `hallway.hookspecs.hallway_signaling`."""
    return [
        SignalingProvider(
            name="memory",
            config_class=MemoryConfig,
            factory=_signaling,
            mode=Mode.LOCAL,
            ice_policy=IcePolicy.LAN,
            schemes=frozenset({SCHEME}),
        )
    ]


@hookimpl
def hallway_channel() -> Iterable[ChannelProvider]:
    """See `hallway.hookspecs.hallway_channel`."""
    return [ChannelProvider(name="memory", config_class=MemoryConfig, factory=_connector, kind=KIND)]
