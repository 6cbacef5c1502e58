"""hallway signaling over HTTP on the LAN: a small bounded server, and a client, in one carrier (`http-local`).

`LocalSignalingServer` is the seed's server, usable without the rest of hallway. The names below are imported when they are first used:
reading this package's hooks must not cost an import of aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hallway_http_local_signaling.config import HttpLocalConfig
    from hallway_http_local_signaling.local import LocalSignalingServer, SeedCandidate, SeedSession
    from hallway_http_local_signaling.signaling import HttpLocalSignaling

__all__ = ["HttpLocalConfig", "HttpLocalSignaling", "LocalSignalingServer", "SeedCandidate", "SeedSession"]

_MODULES = {
    "HttpLocalConfig": "config",
    "HttpLocalSignaling": "signaling",
    "LocalSignalingServer": "local",
    "SeedCandidate": "local",
    "SeedSession": "local",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
