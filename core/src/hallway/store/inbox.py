"""The inbox: what came in and how far, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hallway.store import letters
from hallway.store.database import Database, runs
from hallway.store.values import Arrived, InboxItem, Position, Received, signed, unsigned


def receive(db: Database, peer_name: str, stream: str, incarnation: int, upto: int, items: Sequence[Arrived]) -> int:
    """Store what came, and that all up to ``upto`` has come; returns the id of the first item."""
    if items:
        db.require_room(len(items), sum(len(item[3]) for item in items))
    peer = peer_name.lower()
    position = (signed(incarnation), upto, peer, stream)
    if not db.execute("UPDATE position SET incarnation = ?, upto = ? WHERE peer = ? AND stream = ?", position).rowcount:
        db.execute("INSERT INTO position (incarnation, upto, peer, stream) VALUES (?, ?, ?, ?)", position)
        db.execute("INSERT OR IGNORE INTO peer VALUES (?, ?, NULL)", (peer, peer_name))
    return insert(db, peer, stream, items)


def insert(db: Database, peer: str, stream: str, items: Sequence[Arrived]) -> int:
    """Store what came at the end of the inbox; returns the id of the first item: those of one transaction follow each other."""
    now = db.clock.now()
    values: list[Any] = []
    for item in items:
        values += (None, peer, stream, *item, now)
    return db.insert("inbox", 9, values) - len(items) + 1


def positions(db: Database) -> list[Position]:
    """How far every stream has been received."""
    rows = db.execute("SELECT peer, stream, incarnation, upto FROM position ORDER BY peer, stream")
    return [Position(peer, stream, unsigned(incarnation), upto) for peer, stream, incarnation, upto in rows]


def inbox(db: Database, after: int, most: int, most_bytes: int) -> list[InboxItem]:
    """What the application does not have yet, behind ``after``: at least one if there is any, then within the bounds."""
    found: list[InboxItem] = []
    for row in db.execute(
        "SELECT id, coalesce(name, inbox.peer), stream, seq, message_id, kind, body, flags"
        " FROM inbox LEFT JOIN peer ON peer.key = inbox.peer WHERE id > ? ORDER BY id LIMIT ?",
        (after, max(1, most)),
    ):
        item = InboxItem(*row)
        most_bytes -= len(item.body)
        if found and most_bytes < 0:
            break
        found.append(item)
    return found


def taken(db: Database, ids: Sequence[int]) -> None:
    """Forget what the application has."""
    for run in runs(ids):
        db.execute("DELETE FROM inbox WHERE id BETWEEN ? AND ?", (run.start, run.stop - 1))


def reject(db: Database, id_: int, reason: str) -> None:
    """Make a dead letter of a message that the application cannot take; silent if there is no such message."""
    row = db.execute("SELECT peer, stream, seq, message_id, kind, body, flags FROM inbox WHERE id = ?", (id_,)).fetchone()
    if row is not None:
        peer, stream, *item = row
        letters.bury_received(db, peer, stream, Received(*item), reason)
        taken(db, [id_])
        letters.trim(db)
