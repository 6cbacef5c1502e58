"""Discovery over multicast DNS: the plugin `mdns`, and the seed's `LocalPeerDiscovery` for use without a `Peer`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hallway_mdns_discovery.discovery import MdnsDiscovery
    from hallway_mdns_discovery.local import LocalPeerDiscovery

__all__ = ["LocalPeerDiscovery", "MdnsDiscovery"]

_HOMES = {"LocalPeerDiscovery": "local", "MdnsDiscovery": "discovery"}


def __getattr__(name: str) -> Any:
    # Finding the plugin imports this package; zeroconf must wait until something is made of it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from hallway_mdns_discovery._contract import check_library

    check_library()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
