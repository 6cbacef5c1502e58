"""What goes into the store and comes out of it. Peers in keys and answers are lower-case ids, unless a field is called ``peer_name``."""

from __future__ import annotations

from typing import Literal, NamedTuple

import attrs

MIB = 1024 * 1024
MESSAGE_ID_BYTES = 16
EXPIRED = "expired"
"""The reason of a dead letter whose time to live was over; all others are clauses."""
LARGEST = 2**63 - 1
"""The largest sequence number, and the largest integer of SQLite."""

Direction = Literal["in", "out"]


@attrs.frozen
class Quota:
    """How much may wait. A message for several receivers counts for each of them, and once in all."""

    peer_messages: int = 50_000
    peer_bytes: int = 64 * MIB
    total_bytes: int = 512 * MIB
    letters: int = 10_000
    """Dead letters that are kept; the oldest go first."""
    letter_bytes: int = 64 * MIB
    """Bytes of dead letters that are kept, each counted in full."""


class NewMessage(NamedTuple):
    """A message to be sent. ``kind`` says how the body is encoded; ``ttl_ms`` is how long it may wait, None: for ever."""

    message_id: bytes
    body: bytes
    kind: int
    stream: str = ""
    ttl_ms: int | None = None


class Placed(NamedTuple):
    """What `Store.put` has done, by receiver (lower-case id).

    ``seqs``: the sequence numbers; ``full``: the receivers whose quota is used up, for whom nothing was stored; ``incarnations``: of the
    streams to the others.
    """

    seqs: dict[str, int]
    full: tuple[str, ...]
    incarnations: dict[str, int]


class Waiting(NamedTuple):
    """A message in the outbox. ``ttl_left_ms`` of 0 or less: it has expired. ``created``: seconds ago."""

    seq: int
    message_id: bytes
    kind: int
    body: bytes
    ttl_left_ms: int | None
    created: float


class Acked(NamedTuple):
    """A message that has left the outbox."""

    seq: int
    message_id: bytes


class Expired(NamedTuple):
    """A message whose time was up; it is a dead letter now."""

    peer: str
    stream: str
    seq: int
    message_id: bytes


@attrs.frozen
class OutStream:
    """A stream to a peer, and the highest number ever given in it (0: none)."""

    peer: str
    stream: str
    incarnation: int
    last: int


class Received(NamedTuple):
    """A message that came in. ``flags`` belongs to the delivery layer and comes out as it went in."""

    seq: int
    message_id: bytes
    kind: int
    body: bytes
    flags: int = 0


Arrived = tuple[int, bytes, int, bytes, int]
"""A `Received`, or as much without its names: one is made for every message."""


class Position(NamedTuple):
    """How far a peer's stream has been received: everything up to ``upto``."""

    peer: str
    stream: str
    incarnation: int
    upto: int


class InboxItem(NamedTuple):
    """A received message that the application does not have yet. ``id`` grows in the order of arrival and is never used again."""

    id: int
    peer_name: str
    stream: str
    seq: int
    message_id: bytes
    kind: int
    body: bytes
    flags: int


class DeadLetter(NamedTuple):
    """A message that was given up: from the outbox ("out") or the inbox ("in"). ``age``: seconds since then."""

    id: int
    direction: Direction
    peer_name: str
    stream: str
    seq: int
    message_id: bytes
    kind: int
    body: bytes
    flags: int
    reason: str
    age: float


@attrs.frozen
class Retried:
    """Dead letters that got another try: how many, up to which number the streams (peer, name) go now, and what came into the inbox."""

    count: int
    streams: dict[tuple[str, str], int]
    received: int
    received_bytes: int


class Queue(NamedTuple):
    """What waits for a peer ("out"), or came from it and waits for the application ("in").

    ``oldest``: seconds since the first of it was stored, None: unknown. ``ttl_left_ms``: until the next of it expires, None: nothing will.
    """

    peer_name: str
    messages: int
    bytes: int
    oldest: float | None
    ttl_left_ms: int | None


class Place(NamedTuple):
    """Where a message stands among all that wait in one direction; the next page begins behind it."""

    stream: int = 0
    number: int = 0


START = Place()
"""Before everything."""


class Listed(NamedTuple):
    """A message that waits, for people to look at. ``body`` is None if it is larger than asked for, ``age`` (seconds) if it is unknown."""

    place: Place
    peer_name: str
    stream: str
    seq: int
    message_id: bytes
    kind: int
    size: int
    body: bytes | None
    age: float | None
    ttl_left_ms: int | None


class Usage(NamedTuple):
    """Messages and bytes in the outbox (once for each receiver), in the inbox and among the dead letters."""

    outbox: tuple[int, int]
    inbox: tuple[int, int]
    letters: tuple[int, int]


def signed(number: int) -> int:
    """An unsigned 64-bit number as SQLite can hold it."""
    return number - 2**64 if number > LARGEST else number


def unsigned(number: int) -> int:
    """What `signed` was given."""
    return number + 2**64 if number < 0 else number
