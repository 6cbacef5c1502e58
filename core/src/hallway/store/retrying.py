"""A second try for dead letters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hallway.store import bodies, inbox, letters, outbox
from hallway.store.database import Database
from hallway.store.ledger import TOTAL
from hallway.store.values import Direction, Received, Retried


class _Letter(NamedTuple):
    """A dead letter as it comes back."""

    direction: Direction
    peer: str
    stream: str
    seq: int
    message_id: bytes
    body: int
    size: int
    flags: int


def retry(db: Database, ids: Iterable[int]) -> Retried:
    """Send these again at the end of their streams, or put them into the inbox again, where that is possible."""
    again = [letter for id_ in dict.fromkeys(ids) if (letter := _retried(db, id_)) is not None]
    received = [letter.size for letter in again if letter.direction == "in"]
    streams = {(letter.peer, letter.stream): outbox.last(db, letter.peer, letter.stream) for letter in again if letter.direction == "out"}
    return Retried(len(again), streams, len(received), sum(received))


def _retried(db: Database, id_: int) -> _Letter | None:
    """The letter, if it could be given another try."""
    row = db.execute("SELECT direction, peer, stream, seq, message_id, body, size, flags FROM letter WHERE id = ?", (id_,)).fetchone()
    if row is None:
        return None
    letter = _Letter(*row)
    if letter.direction == "in":
        _receive_again(db, letter)
    elif not _send_again(db, letter):
        return None
    letters.drop(db, [id_])
    return letter


def _send_again(db: Database, letter: _Letter) -> bool:
    """Its time to live is over, so it has none now."""
    queued = db.execute("SELECT 1 FROM body WHERE id = ? AND queued > 0", (letter.body,)).fetchone()
    more = 0 if queued else letter.size
    if db.ledger.of(TOTAL)[1] + more > db.quota.total_bytes or not outbox.has_room(db, letter.peer, letter.size):
        return False
    bodies.queue(db, letter.body, letter.size)
    outbox.append(db, letter.peer, letter.peer, letter.stream, outbox.Row(letter.message_id, letter.body, letter.size, None))
    return True


def _receive_again(db: Database, letter: _Letter) -> None:
    kind, body = db.execute("SELECT kind, bytes FROM body WHERE id = ?", (letter.body,)).fetchone()
    inbox.insert(db, letter.peer, letter.stream, [Received(letter.seq, letter.message_id, kind, body, letter.flags)])
