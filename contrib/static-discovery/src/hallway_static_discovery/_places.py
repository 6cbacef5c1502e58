"""Where a peer is, as an operator writes it, made into the URL that signaling plugins take. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from hallway.network.interfaces import Address
from hallway.network.reach import is_plain
from hallway_static_discovery.errors import BadPlace, mapped

DEFAULT_PORT = 8090
"""That of a device which was given no other: http-local's."""

MAX_LENGTH = 300
"""Characters: a DNS name has 253 at most (RFC 1035 section 2.3.4)."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_NAME = re.compile(r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?")


def endpoint(text: str) -> str:
    """The URL of ``text``: a URL of any scheme, or an address or a DNS name, with a port or without.

    Raises:
        BadPlace: no peer can be there.

    """
    if not text or len(text) > MAX_LENGTH or not all("!" <= character <= "~" for character in text):
        raise BadPlace(text, "is neither an address nor a URL")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _http(text, _bracketed(text), DEFAULT_PORT)
    if not _SCHEME.fullmatch(scheme) or not rest:
        raise BadPlace(text, "is no URL")
    return _http(text, rest, None) if scheme.lower() == "http" else text


def name_in(url: str) -> str | None:
    """The DNS name in an endpoint, or None if it needs no look-up."""
    parts = urlsplit(url)
    return parts.hostname if parts.scheme == "http" and parts.hostname and _address(parts.hostname) is None else None


def with_address(url: str, known: Mapping[str, str]) -> str | None:
    """An endpoint with the address of its name; None if that is not known."""
    name = name_in(url)
    if name is None:
        return url
    return f"http://{_literal(ip_address(known[name]))}:{urlsplit(url).port}" if name in known else None


def _bracketed(text: str) -> str:
    """An IPv6 address as it stands in a URL (RFC 3986 section 3.2.2); anything else as it is."""
    return f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text


def _http(text: str, rest: str, default_port: int | None) -> str:
    with mapped(text):
        parts = urlsplit(f"http://{rest}")
        host, port = parts.hostname, default_port if parts.port is None else parts.port
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise BadPlace(text, "has more than a host and a port")
    if not host:
        raise BadPlace(text, "names no host")
    if not port:
        raise BadPlace(text, f"names no port; a device listens on {DEFAULT_PORT} unless it was told otherwise")
    return f"http://{_host(text, host)}:{port}"


def _host(text: str, host: str) -> str:
    """``host`` in the one spelling by which a peer's requests are known to be its own."""
    ip = _address(host)
    if ip is None:
        return _name(text, host)
    if not is_plain(ip):
        raise BadPlace(text, "is an address that no peer can be reached at: link-local IPv6, IPv4 in IPv6, multicast or none")
    return _literal(ip)


def _literal(ip: Address) -> str:
    return f"[{ip}]" if isinstance(ip, IPv6Address) else str(ip)


def _address(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _name(text: str, host: str) -> str:
    if not _NAME.fullmatch(host) or host.rstrip(".").rpartition(".")[2].isdigit():
        raise BadPlace(text, "has a host that is neither an address nor a DNS name")
    if host.rstrip(".").endswith(".local"):
        raise BadPlace(text, "is a name that only multicast DNS knows; give the address")
    return host
