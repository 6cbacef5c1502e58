"""The hooks of `peer-relay`. Nothing heavy is imported before the factory is called."""

from __future__ import annotations

from collections.abc import Iterable

from hallway.interfaces import Signaling
from hallway.model import IcePolicy, Mode
from hallway.plugins import PluginContext, SignalingProvider, hookimpl
from hallway_peer_relay_signaling.config import NAME, SCHEME, PeerRelayConfig


def make_signaling(config: PeerRelayConfig, context: PluginContext) -> Signaling:
    """The carrier for one device; nobody is asked before its `start`."""
    from hallway_peer_relay_signaling.signaling import PeerRelaySignaling

    return PeerRelaySignaling(config, context)


@hookimpl
def hallway_signaling() -> Iterable[SignalingProvider]:
    """Offer `peer-relay`."""
    return [
        SignalingProvider(
            name=NAME,
            config_class=PeerRelayConfig,
            factory=make_signaling,
            mode=Mode.LOCAL,
            ice_policy=IcePolicy.LAN,
            schemes=frozenset({SCHEME}),
        )
    ]
