"""hallway channel over WebRTC data channels, built on libwebrtc, the engine of Chrome (the package ``wrtc``).

`LibwebrtcConnector` is looked up lazily: importing libwebrtc takes about a quarter of a second, and it may not be installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hallway.webrtc.servers import IceServer
from hallway_libwebrtc_channel.config import LibwebrtcConfig

if TYPE_CHECKING:
    from hallway_libwebrtc_channel.connector import LibwebrtcConnector

__all__ = ["IceServer", "LibwebrtcConfig", "LibwebrtcConnector"]


def __getattr__(name: str) -> Any:
    if name == "LibwebrtcConnector":
        from hallway_libwebrtc_channel.connector import LibwebrtcConnector

        return LibwebrtcConnector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
