"""The hooks of `http-local`. Nothing heavy is imported before the factory is called."""

from __future__ import annotations

from collections.abc import Iterable

from hallway.interfaces import Signaling
from hallway.model import IcePolicy, Mode
from hallway.plugins import PluginContext, SignalingProvider, hookimpl
from hallway_http_local_signaling.config import NAME, HttpLocalConfig


def make_signaling(config: HttpLocalConfig, context: PluginContext) -> Signaling:
    """The carrier for one device; nothing is bound before its `start`."""
    from hallway_http_local_signaling.signaling import HttpLocalSignaling

    return HttpLocalSignaling(config, context)


@hookimpl
def hallway_signaling() -> Iterable[SignalingProvider]:
    """Offer `http-local`."""
    return [
        SignalingProvider(
            name=NAME,
            config_class=HttpLocalConfig,
            factory=make_signaling,
            mode=Mode.LOCAL,
            ice_policy=IcePolicy.LAN,
            schemes=frozenset({"http"}),
        )
    ]
