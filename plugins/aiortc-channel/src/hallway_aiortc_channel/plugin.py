"""The hooks of the plugin; aiortc is imported when a connector is made, not before."""

from __future__ import annotations

from collections.abc import Iterable

from hallway.interfaces import Connector
from hallway.plugins import ChannelProvider, PluginContext, hookimpl
from hallway_aiortc_channel.config import AiortcConfig


def make_connector(config: AiortcConfig, context: PluginContext) -> Connector:
    """Make the connector.

    Raises:
        PluginError: the installed aiortc or aioice is not one that this plugin knows.

    """
    from hallway_aiortc_channel._contract import check_libraries

    check_libraries()
    from hallway_aiortc_channel.connector import AiortcConnector

    return AiortcConnector(config, context)


@hookimpl
def hallway_channel() -> Iterable[ChannelProvider]:
    """WebRTC data channels with aiortc."""
    return [ChannelProvider(name="aiortc", config_class=AiortcConfig, factory=make_connector, kind="webrtc")]
