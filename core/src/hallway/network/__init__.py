"""The network as every plugin sees it: one interface policy, one address watcher, one idea of the LAN and one resolver."""

from hallway.network.interfaces import DENIED_BY_DEFAULT, InterfaceAddress, InterfacePolicy
from hallway.network.reach import Lan
from hallway.network.resolver import Resolver
from hallway.network.watcher import AddressWatcher

__all__ = ["DENIED_BY_DEFAULT", "AddressWatcher", "InterfaceAddress", "InterfacePolicy", "Lan", "Resolver"]
