"""The three contracts that a plugin implements, and what the runtime gives it. The promises are in the docstrings."""

from hallway.interfaces.channel import Channel, Connector, Dialing
from hallway.interfaces.discovery import Discovery, DiscoveryHost
from hallway.interfaces.signaling import Signaling, SignalingHost

__all__ = ["Channel", "Connector", "Dialing", "Discovery", "DiscoveryHost", "Signaling", "SignalingHost"]
