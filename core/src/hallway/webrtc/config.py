"""The keys that every channel plugin of kind ``webrtc`` has."""

from __future__ import annotations

import attrs

from hallway.config.options import option
from hallway.webrtc.servers import IceServer, check_range, check_servers


@attrs.frozen
class WebrtcConfig:
    """The base of a plugin's own config class."""

    ice_servers: tuple[IceServer, ...] = option(
        help="STUN and TURN servers for distant paths; never used on the LAN.", default=(), check=check_servers
    )
    port_range: tuple[int, int] | None = option(
        help="Lowest and highest UDP port of this device's end, for a firewall rule; absent: the system's choice.",
        default=None,
        check=check_range,
    )
