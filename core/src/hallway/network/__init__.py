"""The network as every plugin sees it: one interface policy and one resolver for mDNS, HTTP and ICE."""

from hallway.network.interfaces import DENIED_BY_DEFAULT, InterfaceAddress, InterfacePolicy
from hallway.network.resolver import Resolver

__all__ = ["DENIED_BY_DEFAULT", "InterfaceAddress", "InterfacePolicy", "Resolver"]
