"""What waits at a datagram socket, so that a flood cannot hold up what is behind it.

asyncio hands out one datagram in each turn of the loop. A device whose turns are long, because a stranger keeps it busy elsewhere, would
read slower than the stranger sends: the socket's buffer stays full, and most of what peers send is lost.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

MOST = 64
"""Datagrams that are read in one turn, at most: others want their turn too."""


def waiting(sock: socket.socket, largest: int) -> Iterator[tuple[bytes, Any]]:
    """The datagrams that wait at a non-blocking socket, `MOST` at most, with their senders.

    Of one with more than ``largest`` bytes the rest is cut off. A socket that is closed, meanwhile or before, has none.
    """
    for _ in range(MOST):
        try:
            yield sock.recvfrom(largest)
        except OSError:
            # Nothing is left (BlockingIOError), or it is closed. What else is wrong with it is told to the protocol by asyncio's own read.
            return
