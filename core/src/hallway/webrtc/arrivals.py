"""What arrived and waits for a reader: bounded, for a peer may send what nobody reads. Pure."""

from __future__ import annotations

from collections import deque

MAX_WAITING = 16 * 1024 * 1024
"""Bytes that wait for a reader, at most; each message counts `OVERHEAD` more."""
OVERHEAD = 64
READ_AHEAD = 1024 * 1024
"""Bytes beyond which a reader that is on its way is to come up before more is taken in."""


class Arrivals:
    """What arrived and waits for a reader."""

    def __init__(self) -> None:
        self.messages: deque[str | bytes] = deque()
        self.size = 0
        self.crowded = False
        """Whether more waits than `READ_AHEAD`."""

    def put(self, message: str | bytes) -> bool:
        """Keep a message; False says that there is no room for it."""
        cost = size_of(message) + OVERHEAD
        if self.size + cost > MAX_WAITING:
            return False
        self.messages.append(message)
        self.size += cost
        self.crowded = self.size > READ_AHEAD
        return True

    def pop(self) -> str | bytes:
        """Take the oldest."""
        message = self.messages.popleft()
        self.size -= size_of(message) + OVERHEAD
        self.crowded = self.size > READ_AHEAD
        return message


def size_of(message: str | bytes) -> int:
    """The bytes of a message that has come, as it was on the wire."""
    return len(message if isinstance(message, bytes) or message.isascii() else message.encode())
