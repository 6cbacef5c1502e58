"""Bodies, each stored once: how many rows of the outbox and how many dead letters share it."""

from __future__ import annotations

from hallway.store.database import Database
from hallway.store.ledger import TOTAL


def add(db: Database, kind: int, data: bytes, *, queued: int = 0, dead: int = 0) -> int:
    """Store a body for so many rows of the outbox and so many dead letters; returns its id."""
    body = db.execute("INSERT INTO body (queued, dead, kind, bytes) VALUES (?, ?, ?, ?)", (queued, dead, kind, data)).lastrowid
    assert body is not None
    if queued:
        db.ledger.add(TOTAL, 1, len(data))
    return body


def queue(db: Database, body: int, size: int) -> None:
    """A dead letter's body waits in the outbox as well."""
    (queued,) = db.execute("SELECT queued FROM body WHERE id = ?", (body,)).fetchone()
    db.execute("UPDATE body SET queued = queued + 1 WHERE id = ?", (body,))
    if not queued:
        db.ledger.add(TOTAL, 1, size)


def unqueue(db: Database, body: int, size: int) -> None:
    """A row of the outbox lets go of its body."""
    if db.execute("DELETE FROM body WHERE id = ? AND queued = 1 AND dead = 0", (body,)).rowcount:
        db.ledger.add(TOTAL, -1, -size)
        return
    db.execute("UPDATE body SET queued = queued - 1 WHERE id = ?", (body,))
    if db.execute("SELECT 1 FROM body WHERE id = ? AND queued = 0", (body,)).fetchone():
        db.ledger.add(TOTAL, -1, -size)


def bury(db: Database, body: int) -> None:
    """A dead letter holds the body as well."""
    db.execute("UPDATE body SET dead = dead + 1 WHERE id = ?", (body,))


def unbury(db: Database, body: int) -> None:
    """A dead letter lets go of its body."""
    if not db.execute("DELETE FROM body WHERE id = ? AND dead = 1 AND queued = 0", (body,)).rowcount:
        db.execute("UPDATE body SET dead = dead - 1 WHERE id = ?", (body,))
