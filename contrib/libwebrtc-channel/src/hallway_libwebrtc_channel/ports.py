"""One UDP port for a connection, and libwebrtc kept from every address that the interface policy denies.

libwebrtc binds a socket to each address of the system and cannot be told to leave one out. It can be told which ports to use: so it gets
one port, free on the allowed addresses, and while it gathers, that port is taken on all the others.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import ifaddr

from hallway.network import InterfaceAddress
from hallway_libwebrtc_channel.errors import no_port

TRIES = 64
"""Ports that are looked at, at most."""

Place = tuple[str, int]
"""An address and the scope of an IPv6 link-local one (0: none)."""

_claimed: set[int] = set()
"""Ports that connections of this process have been given and libwebrtc may not have bound yet."""


def _bound(place: Place, port: int) -> socket.socket:
    host, scope = place
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.bind((host, port, 0, scope) if ":" in host else (host, port))
    except BaseException:
        made.close()
        raise
    return made


def _free(places: Iterable[Place], port: int) -> int | None:
    """``port`` (0: one of the system's choice), if all of ``places`` have it free."""
    with ExitStack() as stack:
        for place in places:
            try:
                port = stack.enter_context(_bound(place, port)).getsockname()[1]
            except OSError:
                return None
    return port


def _choices(ports: tuple[int, int] | None) -> Iterable[int]:
    if ports is None:
        return (0,) * TRIES
    low, high = ports
    return random.sample(range(low, high + 1), min(TRIES, high - low + 1))


def _choose(places: list[Place], ports: tuple[int, int] | None) -> int:
    for choice in _choices(ports):
        port = _free(places, choice)
        if port is not None and port not in _claimed:
            return port
    raise no_port()


def _all_places() -> Iterator[Place]:
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            yield (ip.ip, 0) if isinstance(ip.ip, str) else (ip.ip[0], ip.ip[2])


@contextmanager
def one_port(addresses: Iterable[InterfaceAddress], ports: tuple[int, int] | None) -> Iterator[int]:
    """A port that only ``addresses`` have free, for as long as the context lasts; ``ports`` is the range to choose from.

    Raises:
        Unreachable: none is free.

    """
    allowed = {str(address.ip) for address in addresses}
    port = _choose([(host, 0) for host in sorted(allowed)], ports)
    _claimed.add(port)
    try:
        with ExitStack() as taken:
            for place in _all_places():
                if place[0] not in allowed:
                    # Whoever else has the port there keeps libwebrtc out as well.
                    with suppress(OSError):
                        taken.enter_context(_bound(place, port))
            yield port
    finally:
        _claimed.discard(port)
