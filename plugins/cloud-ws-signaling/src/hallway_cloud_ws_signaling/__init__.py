"""hallway signaling through a WebSocket server: the carrier (`cloud-ws`), and the server (`hallway signal-server`).

The names below are imported when they are first used: reading this package's hooks must not cost an import of websockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hallway_cloud_ws_signaling._limits import Limits
    from hallway_cloud_ws_signaling.config import CloudWsConfig
    from hallway_cloud_ws_signaling.server import SignalServer
    from hallway_cloud_ws_signaling.signaling import CloudWsSignaling

__all__ = ["CloudWsConfig", "CloudWsSignaling", "Limits", "SignalServer"]

_MODULES = {
    "CloudWsConfig": "config",
    "CloudWsSignaling": "signaling",
    "Limits": "_limits",
    "SignalServer": "server",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
