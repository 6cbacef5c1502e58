"""The three roles of a plugin: where stevedore looks for it, which hook offers it, which record and interface it must give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import attrs

from hallway.interfaces import Connector, Discovery, Signaling
from hallway.plugins.providers import ChannelProvider, DiscoveryProvider, Provider, SignalingProvider

P = TypeVar("P", bound=Provider)

OBSERVER_GROUP = "hallway.observer"
COMMAND_GROUP = "hallway.commands"


@attrs.frozen
class Role(Generic[P]):
    """A role, its entry-point group, its hook, the record that the hook returns and the interface that the record's factory makes."""

    name: str
    group: str
    hook: str
    record: type[P]
    interface: type


DISCOVERY = Role("discovery", "hallway.discovery", "hallway_discovery", DiscoveryProvider, Discovery)
SIGNALING = Role("signaling", "hallway.signaling", "hallway_signaling", SignalingProvider, Signaling)
CHANNEL = Role("channel", "hallway.channel", "hallway_channel", ChannelProvider, Connector)

ROLES: Mapping[str, Role[Any]] = {role.name: role for role in (DISCOVERY, SIGNALING, CHANNEL)}
GROUPS = (*(role.group for role in ROLES.values()), OBSERVER_GROUP, COMMAND_GROUP)
