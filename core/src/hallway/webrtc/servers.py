"""ICE servers and ports, as a configuration names them."""

from __future__ import annotations

import re
from typing import Any, Literal

import attrs

from hallway.config.options import option

MIN_PORTS = 64
"""Ports in a configured range, at least: a connection takes one for each local address while it lives."""

DEFAULT_PORT = 3478
"""Of STUN and TURN without TLS (RFC 8489 section 14.8)."""

_HOST = r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)"
_STUN = re.compile(rf"stun:{_HOST}(:(?P<port>[0-9]{{1,5}}))?")
_TURN = re.compile(rf"turn:{_HOST}(:(?P<port>[0-9]{{1,5}}))?(\?transport=(?P<transport>udp|tcp))?")


@attrs.frozen
class ServerAddress:
    """One parsed URL of an ICE server (RFC 7064, RFC 7065). ``host`` is a name or an address without brackets."""

    scheme: Literal["stun", "turn"]
    host: str
    port: int
    transport: Literal["udp", "tcp"] = "udp"


def parse_url(url: str) -> ServerAddress:
    """Read a ``stun:`` or ``turn:`` URL.

    Raises:
        ValueError: it is neither, with a clause that says why.

    """
    if url.startswith(("turns:", "stuns:")):
        raise ValueError(f"{url.partition(':')[0]}: is not supported yet")
    found = _STUN.fullmatch(url) or _TURN.fullmatch(url)
    if found is None:
        raise ValueError("is not a stun: or turn: URL")
    parts = found.groupdict()
    port = int(parts["port"] or DEFAULT_PORT)
    if not 0 < port < 65536:
        raise ValueError("has a port that is not 1 to 65535")
    host = parts["host"].strip("[]")
    if url.startswith("stun:"):
        return ServerAddress("stun", host, port)
    return ServerAddress("turn", host, port, "tcp" if parts["transport"] == "tcp" else "udp")


def _check_urls(urls: str | list[str]) -> str | None:
    listed = [urls] if isinstance(urls, str) else list(urls)
    if not listed:
        return "must name at least one URL"
    for url in listed:
        try:
            parse_url(url)
        except ValueError as error:
            return f"{url!r} {error}"
    return None


@attrs.frozen
class IceServer:
    """One entry of ``ice_servers``, in the shape of RTCIceServer (W3C WebRTC section 4.2.4)."""

    urls: str | list[str] = option(
        help="`stun:host[:port]` or `turn:host[:port][?transport=udp|tcp]`, or a list of these.", check=_check_urls
    )
    username: str = option(help="User name at a TURN server.", default="")
    credential: str = option(help="Password at a TURN server.", default="", secret=True)

    def addresses(self) -> tuple[ServerAddress, ...]:
        """The parsed URLs, in order."""
        return tuple(parse_url(url) for url in ([self.urls] if isinstance(self.urls, str) else self.urls))


def check_servers(servers: tuple[IceServer, ...]) -> str | None:
    """The check of an option that lists ICE servers."""
    for server in servers:
        problem = _check_urls(server.urls)
        if problem:
            return problem
        if not server.username and any(address.scheme == "turn" for address in server.addresses()):
            return f"{server.urls!r} needs a username and a credential"
    return None


def check_range(ports: Any) -> str | None:
    """The check of an option that is a range of ports, or None for the system's."""
    if ports is None:
        return None
    low, high = ports
    if not 1024 <= low <= high <= 65535:
        return "must be [low, high] with 1024 <= low <= high <= 65535"
    return None if high - low + 1 >= MIN_PORTS else f"must hold at least {MIN_PORTS} ports"
