"""hallway: the devices of one site find each other and talk over WebRTC data channels, with or without the internet."""

from hallway.config import Config, load_config
from hallway.errors import HallwayError
from hallway.peer import Peer, create_peer

__all__ = ["Config", "HallwayError", "Peer", "create_peer", "load_config"]
