"""hallway channel over WebRTC data channels, built on aiortc.

`AiortcConnector` is looked up lazily: importing aiortc takes about half a second, and a device that only lists its plugins must not pay it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hallway.webrtc.servers import IceServer
from hallway_aiortc_channel.config import AiortcConfig

if TYPE_CHECKING:
    from hallway_aiortc_channel.connector import AiortcConnector

__all__ = ["AiortcConfig", "AiortcConnector", "IceServer"]


def __getattr__(name: str) -> Any:
    if name == "AiortcConnector":
        from hallway_aiortc_channel.connector import AiortcConnector

        return AiortcConnector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
