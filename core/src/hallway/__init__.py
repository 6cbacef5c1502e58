"""hallway: the devices of one site find each other and talk over WebRTC data channels, with or without the internet."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hallway.config import Config, load_config
    from hallway.errors import HallwayError
    from hallway.peer import Peer, create_peer

__all__ = ["Config", "HallwayError", "Peer", "create_peer", "load_config"]

_HOMES = {
    "Config": "hallway.config",
    "HallwayError": "hallway.errors",
    "Peer": "hallway.peer",
    "create_peer": "hallway.peer",
    "load_config": "hallway.config",
}


def __getattr__(name: str) -> Any:
    # Every sub-module imports this one: what `hallway --help` does not need must not be imported here (PEP 562).
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
