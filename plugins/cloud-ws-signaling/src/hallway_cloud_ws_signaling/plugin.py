"""The hooks of `cloud-ws`. Nothing heavy is imported before the factory is called."""

from __future__ import annotations

from collections.abc import Iterable

from hallway.interfaces import Signaling
from hallway.model import IcePolicy, Mode
from hallway.plugins import PluginContext, SignalingProvider, hookimpl
from hallway_cloud_ws_signaling.config import NAME, SCHEME, CloudWsConfig


def make_signaling(config: CloudWsConfig, context: PluginContext) -> Signaling:
    """The carrier for one device; nothing is connected before its `start`."""
    from hallway_cloud_ws_signaling.signaling import CloudWsSignaling

    return CloudWsSignaling(config, context)


@hookimpl
def hallway_signaling() -> Iterable[SignalingProvider]:
    """Offer `cloud-ws`."""
    return [
        SignalingProvider(
            name=NAME,
            config_class=CloudWsConfig,
            factory=make_signaling,
            mode=Mode.CLOUD,
            ice_policy=IcePolicy.WAN,
            schemes=frozenset({SCHEME}),
        )
    ]
