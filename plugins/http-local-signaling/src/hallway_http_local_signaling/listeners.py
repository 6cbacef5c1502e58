"""Listening sockets on one port of all addresses, IPv4 and IPv6 apart."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from contextlib import ExitStack

from hallway.errors import SignalingUnavailable
from hallway_http_local_signaling.config import PORTS_TRIED

BACKLOG = 256
"""Connections that may wait to be accepted: what overflows it comes again after a second, which is too late for a dial on the LAN."""
_ABSENT = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
_WILDCARDS = ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))  # noqa: S104 - the gate checks each connection's local address


def open_listeners(port: int) -> tuple[list[socket.socket], int]:
    """Listen on ``port``, or the next free of the nine after it (0: any free port); return the sockets and the port.

    The sockets are bound to the wildcard addresses: they survive a change of address. They are listening already, because on Linux two
    sockets with SO_REUSEADDR may bind one port as long as none of them listens.

    Raises:
        SignalingUnavailable: all of the ports are taken; the message names them.

    """
    cause: OSError | None = None
    for candidate in _candidates(port):
        try:
            return _open_pair(candidate)
        except OSError as error:
            cause = error
    raise SignalingUnavailable(
        f"no TCP port to listen on: {_span(port)} cannot be had ({cause})",
        hint="stop what uses them (`ss -tlnp`), or set another port in [plugins.http-local]",
    ) from cause


def _candidates(port: int) -> Iterable[int]:
    return [0] * PORTS_TRIED if port == 0 else range(port, min(port + PORTS_TRIED, 65536))


def _span(port: int) -> str:
    return "any port" if port == 0 else f"{port} to {min(port + PORTS_TRIED, 65536) - 1}"


def _open_pair(port: int) -> tuple[list[socket.socket], int]:
    """Both families or those that the system has, on one port; an error leaves nothing open."""
    sockets: list[socket.socket] = []
    with ExitStack() as stack:
        for family, wildcard in _WILDCARDS:
            sock = _listen(family, wildcard, port)
            if sock is not None:
                sockets.append(stack.enter_context(sock))
                port = sock.getsockname()[1]
        if not sockets:
            raise OSError(errno.EAFNOSUPPORT, "this system has neither IPv4 nor IPv6")
        stack.pop_all()
    return sockets, port


def _listen(family: socket.AddressFamily, wildcard: str, port: int) -> socket.socket | None:
    """One listening socket, or None where the system lacks the family."""
    with ExitStack() as stack:
        try:
            sock = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            _set_options(sock)
            sock.bind((wildcard, port))
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise
        sock.listen(BACKLOG)
        sock.setblocking(False)
        stack.pop_all()
    return sock


def _set_options(sock: socket.socket) -> None:
    # Elsewhere than on POSIX this option lets two programs share a port.
    if os.name == "posix":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
