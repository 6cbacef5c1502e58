"""Every hook of hallway, in the order of a device's life.

Bodies are empty: a plugin implements those that it wants with `hallway.plugins.hookimpl`. Hooks are synchronous: they register, and they
observe; asynchronous work belongs to `hallway.interfaces`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from hallway.plugins.providers import ChannelProvider, DiscoveryProvider, SignalingProvider

hookspec = pluggy.HookspecMarker("hallway")


# Registering: called whenever a configuration is checked or a device is made, so they must have no effects.


@hookspec
def hallway_discovery() -> Iterable[DiscoveryProvider]:  # type: ignore[empty-body]
    """Offer ways to find peers.

    Returns records; only the one whose name is the entry point's name is used. Keep heavy imports inside the record's factory. An
    exception here makes the plugin unusable and is reported with its distribution and version.

    Example::

        @hookimpl
        def hallway_discovery():
            return [DiscoveryProvider(name="mdns", config_class=MdnsConfig, factory=make_discovery)]
    """


@hookspec
def hallway_signaling() -> Iterable[SignalingProvider]:  # type: ignore[empty-body]
    """Offer ways to carry offers and answers. Otherwise as `hallway_discovery`.

    Example::

        @hookimpl
        def hallway_signaling():
            return [SignalingProvider(name="http-local", config_class=HttpLocalConfig, factory=make_signaling,
                                      mode=Mode.LOCAL, ice_policy=IcePolicy.LAN, schemes=frozenset({"http"}))]
    """


@hookspec
def hallway_channel() -> Iterable[ChannelProvider]:  # type: ignore[empty-body]
    """Offer ways to make channels. Otherwise as `hallway_discovery`.

    Example::

        @hookimpl
        def hallway_channel():
            return [ChannelProvider(name="aiortc", config_class=AiortcConfig, factory=make_connector, kind="webrtc")]
    """


# Observing: called by the one publisher of events, in the order in which things happened. What an observer raises is logged, no more.


@hookspec
def hallway_peer_found(peer_id: str, plugin: str) -> None:
    """A peer has come into sight. ``plugin`` is the name of the plugin that saw it."""


@hookspec
def hallway_peer_lost(peer_id: str, plugin: str) -> None:
    """A peer is out of sight of ``plugin``. An open link to it lives on."""


@hookspec
def hallway_link_changed(peer_id: str, state: str, details: dict[str, Any]) -> None:
    """A link is now ``open`` or ``lost``. ``details`` are the fields of the event `peer-connected` or `peer-disconnected`."""


@hookspec
def hallway_message_in(peer_id: str, message_id: str, message: Any) -> None:
    """A message has arrived. Called only if some observer implements it."""


@hookspec
def hallway_message_out(peer_id: str, message_id: str, message: Any) -> None:
    """A message was handed to the channel. Called only if some observer implements it."""
