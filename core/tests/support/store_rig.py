"""What the tests of the store share: messages to put, and a machine whose clock is moved by hand."""

from __future__ import annotations

from hallway.store import Machine, NewMessage, Received, Store

ALL = {"most": 1_000_000, "most_bytes": 2**40}


class HandMachine(Machine):
    """A machine whose clock stands still until it is moved, and which can be booted anew."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.name = "boot-1"

    def reading(self) -> int:
        return self.now

    def boot(self) -> str:
        return self.name

    def reboot(self) -> None:
        self.name += "1"
        self.now = 5


def number(n: int) -> bytes:
    return n.to_bytes(16, "big")


def message(n: int, size: int = 3, stream: str = "", ttl_ms: int | None = None) -> NewMessage:
    return NewMessage(number(n), bytes([n % 256]) * size, kind=1, stream=stream, ttl_ms=ttl_ms)


def received(n: int, size: int = 3) -> Received:
    return Received(n, number(n), 1, bytes([n % 256]) * size)


async def queued(store: Store, peer: str = "tablet-2", stream: str = "") -> list[tuple[int, int]]:
    """Sequence number and the test's own number of all that waits for a peer."""
    return [(item.seq, int.from_bytes(item.message_id, "big")) for item in await store.waiting(peer, stream, 0, **ALL)]


async def incarnation(store: Store, peer: str = "tablet-2", stream: str = "") -> int:
    (found,) = [each.incarnation for each in await store.outgoing() if (each.peer, each.stream) == (peer, stream)]
    return found
