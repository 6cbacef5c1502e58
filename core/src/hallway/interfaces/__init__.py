"""The three contracts that a plugin implements, and what the runtime gives it. The promises are in the docstrings."""

from hallway.interfaces.channel import Channel, Connector, Dialing, Taker
from hallway.interfaces.control import MAX_CONTROL_BODY, MAX_CONTROL_REQUESTS, ControlBus, ControlHandler
from hallway.interfaces.cover import Cover
from hallway.interfaces.discovery import Discovery, DiscoveryHost
from hallway.interfaces.signaling import Signaling, SignalingHost

__all__ = [
    "MAX_CONTROL_BODY",
    "MAX_CONTROL_REQUESTS",
    "Channel",
    "Connector",
    "ControlBus",
    "ControlHandler",
    "Cover",
    "Dialing",
    "Discovery",
    "DiscoveryHost",
    "Signaling",
    "SignalingHost",
    "Taker",
]
