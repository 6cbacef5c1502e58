"""Dead letters: what was given up, on its way out or at its place, until somebody retries or drops it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hallway.store import bodies
from hallway.store.database import Database
from hallway.store.ledger import LETTERS
from hallway.store.values import DeadLetter, Direction, Received

_INSERT = (
    "INSERT INTO letter (direction, peer, stream, seq, message_id, body, size, flags, reason, buried) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Sent(NamedTuple):
    """A row of the outbox that is given up."""

    peer: str
    stream: str
    seq: int
    message_id: bytes
    body: int
    size: int


class Filter(NamedTuple):
    """Which dead letters: None means all."""

    direction: Direction | None = None
    peer: str | None = None
    stream: str | None = None
    after: int = 0


def bury_sent(db: Database, sent: Sent, reason: str) -> None:
    """Keep what was to be sent; it shares the body."""
    bodies.bury(db, sent.body)
    db.execute(_INSERT, ("out", *sent, 0, reason, db.clock.now()))
    db.ledger.add(LETTERS, 1, sent.size)


def bury_received(db: Database, peer: str, stream: str, item: Received, reason: str) -> None:
    """Keep what was received."""
    size = len(item.body)
    body = bodies.add(db, item.kind, item.body)
    db.execute(_INSERT, ("in", peer, stream, item.seq, item.message_id, body, size, item.flags, reason, db.clock.now()))
    db.ledger.add(LETTERS, 1, size)


def trim(db: Database) -> None:
    """Drop the oldest until the rest is within its quota."""
    count, held = db.ledger.of(LETTERS)
    over, too_large = count - db.quota.letters, held - db.quota.letter_bytes
    surplus: list[int] = []
    if over > 0 or too_large > 0:
        for id_, size in db.execute("SELECT id, size FROM letter ORDER BY id"):
            if over <= 0 and too_large <= 0:
                break
            surplus.append(id_)
            over, too_large = over - 1, too_large - size
    drop(db, surplus)


def dead(db: Database, wanted: Filter, most: int, most_bytes: int) -> list[DeadLetter]:
    """The dead letters that ``wanted`` names, in their order: at least one if there is any, then within the bounds."""
    now = db.clock.now()
    found: list[DeadLetter] = []
    for *fields, buried in db.execute(
        "SELECT letter.id, direction, coalesce(name, letter.peer), stream, seq, message_id, kind, bytes, flags, reason, buried"
        " FROM letter JOIN body ON body.id = letter.body LEFT JOIN peer ON peer.key = letter.peer"
        " WHERE direction = coalesce(?, direction) AND letter.peer = coalesce(?, letter.peer) AND stream = coalesce(?, stream)"
        " AND letter.id > ? ORDER BY letter.id LIMIT ?",
        (*wanted, max(1, most)),
    ):
        letter = DeadLetter._make((*fields, max(0, now - buried) / 1000))
        most_bytes -= len(letter.body)
        if found and most_bytes < 0:
            break
        found.append(letter)
    return found


def drop(db: Database, ids: Iterable[int]) -> int:
    """Forget these; returns how many there were."""
    dropped = 0
    for id_ in ids:
        row = db.execute("SELECT body, size FROM letter WHERE id = ?", (id_,)).fetchone()
        if row is not None:
            db.execute("DELETE FROM letter WHERE id = ?", (id_,))
            bodies.unbury(db, row[0])
            db.ledger.add(LETTERS, -1, -row[1])
            dropped += 1
    return dropped


def purge(db: Database, peer: str) -> None:
    """Forget all that was to go to a peer."""
    ids = db.execute("SELECT id FROM letter WHERE peer = ? AND direction = 'out'", (peer,)).fetchall()
    drop(db, [id_ for (id_,) in ids])
