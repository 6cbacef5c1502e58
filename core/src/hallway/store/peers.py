"""The peers that this device has met, and what is kept for them."""

from __future__ import annotations

from hallway.store import letters, outbox
from hallway.store.database import Database
from hallway.store.ledger import LETTERS
from hallway.store.values import Usage


def met(db: Database, name: str, wall: float) -> None:
    """Remember when a peer was last seen, and how it writes its id."""
    db.execute(
        "INSERT INTO peer VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET name = excluded.name, seen = excluded.seen",
        (name.lower(), name, wall),
    )


def peers(db: Database, since: float) -> list[str]:
    """Who was seen then or later, the latest first."""
    return [name for (name,) in db.execute("SELECT name FROM peer WHERE seen >= ? ORDER BY seen DESC, key", (since,))]


def purge(db: Database, peer: str) -> int:
    """Forget a peer and all that was to go to it. What it has sent stays, and so do the numbers that were used."""
    count = outbox.purge(db, peer)
    letters.purge(db, peer)
    db.execute("UPDATE peer SET seen = NULL WHERE key = ?", (peer,))
    return count


def usage(db: Database) -> Usage:
    """How much is kept."""
    queued = db.execute("SELECT count(*), coalesce(sum(size), 0) FROM outbox").fetchone()
    received = db.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM inbox").fetchone()
    return Usage(queued, received, db.ledger.of(LETTERS))
