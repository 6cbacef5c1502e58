"""The typed records that hooks return: what a plugin is called, how it is configured and how it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from hallway.interfaces import Connector, ControlBus, Cover, Discovery, Signaling
from hallway.model import DeviceInfo, IcePolicy, Mode
from hallway.network import InterfacePolicy, Resolver


@attrs.frozen
class PluginContext:
    """What every factory gets beside its own config object."""

    device: DeviceInfo
    interfaces: InterfacePolicy
    resolver: Resolver
    bus: ControlBus | None = None
    """Requests to linked peers; None outside of a running device, where a plugin is used alone."""
    cover: Cover | None = None
    """What to show instead of names where outsiders can see it; None: the names (open security)."""


@attrs.frozen(kw_only=True)
class DiscoveryProvider:
    """A way to find peers. ``config_class`` is a frozen attrs class: the shape of ``[plugins.<name>]``."""

    name: str
    config_class: type
    factory: Callable[[Any, PluginContext], Discovery]


@attrs.frozen(kw_only=True)
class SignalingProvider:
    """A way to carry offers and answers. It takes endpoints whose URL scheme is in ``schemes``."""

    name: str
    config_class: type
    factory: Callable[[Any, PluginContext], Signaling]
    mode: Mode
    ice_policy: IcePolicy
    schemes: frozenset[str]


@attrs.frozen(kw_only=True)
class ChannelProvider:
    """A way to make channels of one ``kind``; plugins of one kind interoperate."""

    name: str
    config_class: type
    factory: Callable[[Any, PluginContext], Connector]
    kind: str


Provider = DiscoveryProvider | SignalingProvider | ChannelProvider
