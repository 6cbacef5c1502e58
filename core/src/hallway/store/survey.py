"""What waits, for people to look at: sums by peer, single messages, and which dead letters there are."""

from __future__ import annotations

from hallway.store.database import Database
from hallway.store.values import Direction, Listed, Place, Queue

_QUEUES: dict[Direction, str] = {
    "out": "SELECT coalesce(peer.name, stream.peer), count(*), sum(size), min(created), min(expires)"
    " FROM outbox JOIN stream ON stream.id = outbox.stream LEFT JOIN peer ON peer.key = stream.peer"
    " WHERE stream.peer = coalesce(?, stream.peer) GROUP BY stream.peer ORDER BY stream.peer",
    "in": "SELECT coalesce(name, inbox.peer), count(*), sum(length(body)), min(arrived), NULL"
    " FROM inbox LEFT JOIN peer ON peer.key = inbox.peer"
    " WHERE inbox.peer = coalesce(?, inbox.peer) GROUP BY inbox.peer ORDER BY inbox.peer",
}
_LISTED: dict[Direction, str] = {
    "out": "SELECT outbox.stream, seq, coalesce(peer.name, stream.peer), stream.name, seq, message_id, kind, size,"
    " CASE WHEN size <= ? THEN bytes END, created, expires"
    " FROM outbox JOIN stream ON stream.id = outbox.stream JOIN body ON body.id = outbox.body LEFT JOIN peer ON peer.key = stream.peer"
    " WHERE stream.peer = coalesce(?, stream.peer) AND (outbox.stream, seq) > (?, ?) ORDER BY outbox.stream, seq LIMIT ?",
    "in": "SELECT 0, id, coalesce(name, inbox.peer), stream, seq, message_id, kind, length(body),"
    " CASE WHEN length(body) <= ? THEN body END, arrived, NULL"
    " FROM inbox LEFT JOIN peer ON peer.key = inbox.peer"
    " WHERE inbox.peer = coalesce(?, inbox.peer) AND (0, id) > (?, ?) ORDER BY id LIMIT ?",
}


def queues(db: Database, direction: Direction, peer: str | None) -> list[Queue]:
    """What waits, by peer."""
    now = db.clock.now()
    return [
        Queue(name, messages, size, _age(now, oldest), None if expires is None else expires - now)
        for name, messages, size, oldest, expires in db.execute(_QUEUES[direction], (peer,))
    ]


def listed(db: Database, direction: Direction, peer: str | None, after: Place, most: int, body_bytes: int) -> list[Listed]:
    """The messages that wait behind a place, at most so many, with those bodies that are no larger than ``body_bytes``."""
    now = db.clock.now()
    return [
        Listed._make((Place(stream, number), *rest, _age(now, since), None if expires is None else expires - now))
        for stream, number, *rest, since, expires in db.execute(_LISTED[direction], (body_bytes, peer, *after, most))
    ]


def letter_ids(db: Database, direction: Direction, peer: str | None) -> list[int]:
    """The dead letters of one direction, oldest first."""
    rows = db.execute("SELECT id FROM letter WHERE direction = ? AND peer = coalesce(?, peer) ORDER BY id", (direction, peer))
    return [id_ for (id_,) in rows]


def _age(now: int, since: int | None) -> float | None:
    return None if since is None else max(0, now - since) / 1000
