"""Bodies, each stored once: how many rows of the outbox and how many dead letters share it."""

from __future__ import annotations

from collections.abc import Sequence

from hallway.store.database import Database, runs
from hallway.store.ledger import TOTAL


def add(db: Database, kind: int, data: bytes) -> int:
    """Store the body of a dead letter; returns its id."""
    db.last_body += 1
    db.insert("body", 5, [db.last_body, 0, 1, kind, data])
    return db.last_body


def queue(db: Database, body: int, size: int) -> None:
    """A dead letter's body waits in the outbox as well."""
    (queued,) = db.execute("SELECT queued FROM body WHERE id = ?", (body,)).fetchone()
    db.execute("UPDATE body SET queued = queued + 1 WHERE id = ?", (body,))
    if not queued:
        db.ledger.add(TOTAL, 1, size)


def unqueue(db: Database, rows: Sequence[tuple[int, int]]) -> None:
    """Rows of the outbox let go of their bodies, of which these are ids and sizes."""
    sizes = dict(rows)
    for run in runs(body for body, _ in rows):
        bounds = (run.start, run.stop - 1)
        if unqueue_run(db, run):
            db.ledger.add(TOTAL, -len(run), -sum(sizes[body] for body in run))
            continue
        left = {body for (body,) in db.execute("SELECT id FROM body WHERE id BETWEEN ? AND ?", bounds)}
        for body in run:
            _let_go(db, body, sizes[body], gone=body not in left)


def unqueue_run(db: Database, run: range) -> bool:
    """Delete of these bodies, for which a row of the outbox each lets go, those that nothing else holds; returns whether these were all."""
    bounds = (run.start, run.stop - 1)
    return db.execute("DELETE FROM body WHERE id BETWEEN ? AND ? AND queued = 1 AND dead = 0", bounds).rowcount == len(run)


def _let_go(db: Database, body: int, size: int, *, gone: bool) -> None:
    if not gone:
        db.execute("UPDATE body SET queued = queued - 1 WHERE id = ?", (body,))
    if gone or db.execute("SELECT 1 FROM body WHERE id = ? AND queued = 0", (body,)).fetchone():
        db.ledger.add(TOTAL, -1, -size)


def bury(db: Database, body: int) -> None:
    """A dead letter holds the body as well."""
    db.execute("UPDATE body SET dead = dead + 1 WHERE id = ?", (body,))


def unbury(db: Database, body: int) -> None:
    """A dead letter lets go of its body."""
    if not db.execute("DELETE FROM body WHERE id = ? AND dead = 1 AND queued = 0", (body,)).rowcount:
        db.execute("UPDATE body SET dead = dead - 1 WHERE id = ?", (body,))
