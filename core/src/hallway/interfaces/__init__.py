"""The three contracts that a plugin implements. Their promises are in the docstrings, and the conformance suites hold every plugin to them."""

from hallway.interfaces.channel import Channel, Connector, Dialing
from hallway.interfaces.discovery import Discovery, DiscoveryHost
from hallway.interfaces.signaling import Signaling, SignalingHost

__all__ = ["Channel", "Connector", "Dialing", "Discovery", "DiscoveryHost", "Signaling", "SignalingHost"]
