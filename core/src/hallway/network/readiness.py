"""What Linux knows of interfaces and addresses beyond what ifaddr tells: those that are there and cannot be used now.

On other systems nothing is known, and everything counts as usable.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_SIOCGIFFLAGS = 0x8913
_IFREQ = struct.Struct("16sH22x")
_IFF_UP_AND_RUNNING = 0x1 | 0x40
"""netdevice(7): switched on, and with a carrier."""

_IF_INET6 = Path("/proc/net/if_inet6")
_IFA_F_OPTIMISTIC, _IFA_F_DADFAILED, _IFA_F_TENTATIVE = 0x04, 0x08, 0x40
"""linux/if_addr.h."""


def idle(names: Iterable[str]) -> frozenset[str]:
    """Those of these interfaces that are switched off or have no carrier: they keep their IPv4 addresses, and nothing passes."""
    if sys.platform != "linux":
        return frozenset()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return frozenset(name for name in names if not _is_running(sock, name))


def _is_running(sock: socket.socket, name: str) -> bool:
    import fcntl

    try:
        answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, _IFREQ.pack(name.encode(), 0))
    except OSError:
        # It has gone since its name was read, which the next look tells better.
        return True
    flags: int = _IFREQ.unpack(answer)[1]
    return flags & _IFF_UP_AND_RUNNING == _IFF_UP_AND_RUNNING


def unsettled() -> frozenset[ipaddress.IPv6Address]:
    """The IPv6 addresses to which no socket can be bound: another host may have them, or has (RFC 4862 section 5.4)."""
    if sys.platform != "linux":
        return frozenset()
    try:
        lines = _IF_INET6.read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, PermissionError):
        # Without IPv6 there is no such file; a sandbox may hide it.
        return frozenset()
    fields = map(str.split, lines)
    return frozenset(ipaddress.IPv6Address(int(address, 16)) for address, _, _, _, flags, _ in fields if _is_unsettled(flags))


def _is_unsettled(flags: str) -> bool:
    bits = int(flags, 16)
    return bool(bits & _IFA_F_DADFAILED or (bits & _IFA_F_TENTATIVE and not bits & _IFA_F_OPTIMISTIC))
