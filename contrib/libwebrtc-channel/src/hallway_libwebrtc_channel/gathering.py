"""What one connection gathers from, and which of its candidates are told to the peer."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Iterable

import attrs
from webrtc import RTCIceServer

from hallway.errors import NetworkError
from hallway.network import InterfaceAddress, Resolver
from hallway.webrtc.candidates import Reach, read_candidate
from hallway.webrtc.servers import IceServer, ServerAddress

logger = logging.getLogger(__name__)

GATHERING_CAP = 0.45
"""Seconds for names and servers, all together; host candidates need some milliseconds.

Both ends gather, one after the other, and servers that do not answer must not delay a link by more than 1 s.
"""


@attrs.frozen
class Plan:
    """What one session gathers from. ``servers`` are empty on the LAN."""

    addresses: tuple[InterfaceAddress, ...]
    reach: Reach
    resolver: Resolver
    ports: tuple[int, int] | None = None
    servers: tuple[IceServer, ...] = ()

    async def resolved(self, deadline: float) -> list[RTCIceServer]:
        """The first STUN and the first TURN server whose names resolve. libwebrtc itself would look names up in a thread."""
        chosen = await asyncio.gather(self._first("stun", deadline), self._first("turn", deadline))
        return [server for server in chosen if server is not None]

    async def _first(self, scheme: str, deadline: float) -> RTCIceServer | None:
        for server in self.servers:
            for address in server.addresses():
                if address.scheme == scheme and (host := await self._look_up(address.host, deadline)):
                    return _native(attrs.evolve(address, host=host), server)
        return None

    async def _look_up(self, name: str, deadline: float) -> str | None:
        try:
            return await self.resolver.resolve(name, deadline)
        except NetworkError as error:
            logger.info("ICE server %s is left out: %s", name, error)
            return None

    def told(self, candidates: Iterable[str]) -> list[str]:
        """Those of libwebrtc's candidates that the peer is told of: over UDP, and from allowed addresses.

        Its attributes of its own (``network-id`` and the like) are left out.
        """
        allowed = {address.ip for address in self.addresses}
        return [text.partition(" generation ")[0] for text in candidates if _is_told(text, allowed)]


def _is_told(text: str, allowed: set[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> bool:
    candidate = read_candidate(text)
    if candidate is None:
        return False
    if candidate.type == "host":
        return ipaddress.ip_address(candidate.host) in allowed
    if candidate.type == "srflx":
        _, _, related = text.partition(" raddr ")
        return ipaddress.ip_address(related.partition(" ")[0]) in allowed
    return True


def _native(address: ServerAddress, server: IceServer) -> RTCIceServer:
    host = f"[{address.host}]" if ":" in address.host else address.host
    if address.scheme == "stun":
        return RTCIceServer(f"stun:{host}:{address.port}")
    return RTCIceServer(f"turn:{host}:{address.port}?transport={address.transport}", server.username, server.credential)
