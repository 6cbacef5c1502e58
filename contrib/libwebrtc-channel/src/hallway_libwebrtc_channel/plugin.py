"""The hooks of the plugin; libwebrtc is imported when a connector is made, not before."""

from __future__ import annotations

from collections.abc import Iterable

from hallway.interfaces import Connector
from hallway.plugins import ChannelProvider, PluginContext, hookimpl
from hallway_libwebrtc_channel.config import LibwebrtcConfig
from hallway_libwebrtc_channel.engine import ready_engine


def make_connector(config: LibwebrtcConfig, context: PluginContext) -> Connector:
    """Make the connector.

    Raises:
        PluginError: libwebrtc is not installed, cannot be imported here, or is not one that this plugin knows.

    """
    ready_engine()
    from hallway_libwebrtc_channel.connector import LibwebrtcConnector

    return LibwebrtcConnector(config, context)


@hookimpl
def hallway_channel() -> Iterable[ChannelProvider]:
    """WebRTC data channels with libwebrtc."""
    return [ChannelProvider(name="libwebrtc", config_class=LibwebrtcConfig, factory=make_connector, kind="webrtc")]
