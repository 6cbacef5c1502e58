"""How what goes wrong in libwebrtc becomes hallway's errors."""

from __future__ import annotations

from hallway.errors import BadDescription, PluginError, Unreachable

PLUGIN = "libwebrtc"


def not_usable(problem: str) -> PluginError:
    """The library is not there, or not one that this plugin knows; the rest of the chain goes on."""
    return PluginError(
        PLUGIN,
        problem,
        hint="install wrtc (for Linux with glibc on x86_64 or aarch64, macOS, Windows), or leave libwebrtc out of the chain",
    )


def refused(error: Exception) -> BadDescription:
    """libwebrtc does not take a description that we had found good."""
    return BadDescription(f"libwebrtc refuses the peer's description: {error}")


def no_port() -> Unreachable:
    """Every port that was tried is taken on some address."""
    return Unreachable("no UDP port is free on the allowed interfaces", hint="widen [plugins.libwebrtc] port_range")
