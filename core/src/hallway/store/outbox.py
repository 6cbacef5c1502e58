"""The outbox: what waits for each peer, by stream and sequence number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import attrs

from hallway.store import bodies, database, letters
from hallway.store.database import Database, new_incarnation
from hallway.store.ledger import TOTAL
from hallway.store.values import EXPIRED, LARGEST, Acked, Expired, NewMessage, OutStream, Placed, Waiting, signed, unsigned


class Row(NamedTuple):
    """A row of the outbox without its place: what `append` stores."""

    message_id: bytes
    body: int
    size: int
    expires: int | None


class _Queued(NamedTuple):
    """A row of the outbox as it leaves."""

    seq: int
    message_id: bytes
    body: int
    size: int


ID_DIGITS = 32
"""Hexadecimal digits of a message's id."""
_QUEUED = "SELECT seq, message_id, body, size FROM outbox WHERE stream = ?"


class Order(NamedTuple):
    """A message, and for whom."""

    message: NewMessage
    to: tuple[str, ...]


@attrs.define
class _End:
    """How far a stream is."""

    place: int
    last: int


def put(db: Database, orders: Sequence[Order]) -> list[Placed]:
    """Give each message a number in the stream to each of its receivers that has room."""
    now = db.clock.now()
    ends: dict[tuple[str, str], _End] = {}
    made: list[tuple[int, int, int, int, bytes]] = []
    rows: list[tuple[int, int, bytes, int, int, int, int | None]] = []
    placed = []
    db.require_room(sum(len(to) for _, to in orders), sum(len(message.body) for message, _ in orders))
    for (message_id, data, kind, stream, ttl_ms), to in orders:
        size = len(data)
        accepted, full = _with_room(db, to, size)
        seqs: dict[str, int] = {}
        body = db.next_body() if accepted else 0
        if accepted:
            made.append((body, len(accepted), 0, kind, data))
            db.ledger.add(TOTAL, 1, size)
        for key, name in accepted.items():
            end = ends.get((key, stream)) or ends.setdefault((key, stream), _end(db, key, name, stream))
            end.last += 1
            rows.append((end.place, end.last, message_id, body, size, now, None if ttl_ms is None else min(now + ttl_ms, LARGEST)))
            db.ledger.add(key, 1, size)
            seqs[key] = end.last
        placed.append(Placed(seqs, full))
    db.insert("body", made)
    db.insert("outbox", rows)
    for end in ends.values():
        db.execute("UPDATE stream SET last = ? WHERE id = ?", (end.last, end.place))
    return placed


def _with_room(db: Database, to: Iterable[str], size: int) -> tuple[dict[str, str], tuple[str, ...]]:
    """The receivers for whom there is room by lower-case id, and those for whom there is none."""
    receivers = {name.lower(): name for name in to}
    if db.ledger.of(TOTAL)[1] + size > db.quota.total_bytes:
        return {}, tuple(receivers)
    full = tuple(key for key in receivers if not has_room(db, key, size))
    for key in full:
        del receivers[key]
    return receivers, full


def _end(db: Database, peer: str, name: str, stream: str) -> _End:
    found = db.execute("SELECT id, last FROM stream WHERE peer = ? AND name = ?", (peer, stream)).fetchone()
    return _End(*found) if found else _End(_new_stream(db, peer, name, stream), 0)


def has_room(db: Database, peer: str, size: int) -> bool:
    """Whether that peer's quota takes one more message of ``size`` bytes."""
    count, held = db.ledger.of(peer)
    return count < db.quota.peer_messages and held + size <= db.quota.peer_bytes


def append(db: Database, peer: str, name: str, stream: str, row: Row) -> int:
    """Store a row at the end of a stream; returns its number."""
    end = _end(db, peer, name, stream)
    end.last += 1
    db.execute("UPDATE stream SET last = ? WHERE id = ?", (end.last, end.place))
    db.insert("outbox", [(end.place, end.last, row.message_id, row.body, row.size, db.clock.now(), row.expires)])
    db.ledger.add(peer, 1, row.size)
    return end.last


def last(db: Database, peer: str, stream: str) -> int:
    """The highest number ever given in a stream."""
    found = db.execute("SELECT last FROM stream WHERE peer = ? AND name = ?", (peer, stream)).fetchone()
    return 0 if found is None else int(found[0])


def _new_stream(db: Database, peer: str, name: str, stream: str) -> int:
    db.execute("INSERT OR IGNORE INTO peer VALUES (?, ?, NULL)", (peer, name))
    values = (peer, stream, new_incarnation())
    place = db.execute("INSERT INTO stream (peer, name, incarnation, last) VALUES (?, ?, ?, 0)", values).lastrowid
    assert place is not None
    return place


def waiting(db: Database, peer: str, stream: str, after: int, most: int, most_bytes: int) -> list[Waiting]:
    """What waits behind number ``after``: at least one if there is any, then within the bounds."""
    now = db.clock.now()
    found: list[Waiting] = []
    for seq, message_id, created, expires, kind, body in db.execute(
        "SELECT seq, message_id, created, expires, kind, bytes FROM outbox JOIN body ON body.id = outbox.body"
        " WHERE stream = (SELECT id FROM stream WHERE peer = ? AND name = ?) AND seq > ? ORDER BY seq LIMIT ?",
        (peer, stream, min(after, LARGEST), max(1, most)),
    ):
        most_bytes -= len(body)
        if found and most_bytes < 0:
            break
        ttl = None if expires is None else expires - now
        found.append(Waiting(seq, message_id, kind, body, ttl, max(0, now - created) / 1000))
    return found


def acked(db: Database, peer: str, stream: str, incarnation: int, upto: int, ranges: Sequence[tuple[int, int]]) -> list[str]:
    """Forget what the peer has; returns the ids of what was still there, in hexadecimal and in order."""
    place = db.execute(
        "SELECT id FROM stream WHERE peer = ? AND name = ? AND incarnation = ?", (peer, stream, signed(incarnation))
    ).fetchone()
    if place is None:
        return []
    gone: list[str] = []
    for first, last in ((0, upto), *ranges):
        gone += _forget(db, peer, (*place, min(first, LARGEST), min(last, LARGEST)))
    return gone


def _forget(db: Database, peer: str, bounds: tuple[int, int, int]) -> list[str]:
    """Delete these rows of a stream by few steps of SQLite: each is a change of threads, and a row costs more in Python than there."""
    count, size, distinct, low, high, ids = db.execute(
        "SELECT count(*), sum(size), count(DISTINCT body), min(body), max(body), group_concat(hex(message_id), '')"
        " FROM (SELECT size, body, message_id FROM outbox WHERE stream = ? AND seq BETWEEN ? AND ? ORDER BY seq)",
        bounds,
    ).fetchone()
    if not count:
        return []
    run = range(low, high + 1)
    if count == distinct == len(run) and bodies.unqueue_run(db, run):
        db.ledger.add(TOTAL, -count, -size)
    else:
        rows = db.execute("SELECT body, size FROM outbox WHERE stream = ? AND seq BETWEEN ? AND ?", bounds).fetchall()
        bodies.unqueue(db, rows)
    db.execute("DELETE FROM outbox WHERE stream = ? AND seq BETWEEN ? AND ?", bounds)
    db.ledger.add(peer, -count, -size)
    ids = ids.lower()
    return [ids[at : at + ID_DIGITS] for at in range(0, len(ids), ID_DIGITS)]


def bury(db: Database, peer: str, stream: str, seqs: Sequence[int], reason: str) -> list[Acked]:
    """Make dead letters of these; their numbers stay used."""
    place = _place(db, peer, stream)
    if place is None:
        return []
    gone = _queued(db, place, seqs)
    for row in gone:
        letters.bury_sent(db, letters.Sent(peer, stream, *row), reason)
    left = _remove(db, peer, place, gone)
    letters.trim(db)
    return left


def withdraw(db: Database, peer: str, stream: str, seqs: Sequence[int]) -> list[Acked]:
    """Forget these, and return those that were there; their numbers stay used."""
    place = _place(db, peer, stream)
    return [] if place is None else _remove(db, peer, place, _queued(db, place, seqs))


def _place(db: Database, peer: str, stream: str) -> int | None:
    found = db.execute("SELECT id FROM stream WHERE peer = ? AND name = ?", (peer, stream)).fetchone()
    return None if found is None else int(found[0])


def _queued(db: Database, place: int, seqs: Sequence[int]) -> list[_Queued]:
    """Those of a stream's messages with these numbers that wait."""
    found = (db.execute(f"{_QUEUED} AND seq = ?", (place, seq)).fetchone() for seq in dict.fromkeys(seqs))
    return [_Queued(*row) for row in found if row is not None]


def _remove(db: Database, peer: str, place: int, gone: Sequence[_Queued]) -> list[Acked]:
    db.executemany("DELETE FROM outbox WHERE stream = ? AND seq = ?", [(place, row.seq) for row in gone])
    _let_go(db, peer, gone)
    return [Acked(row.seq, row.message_id) for row in gone]


def expired(db: Database, most: int) -> list[Expired]:
    """Bury what has expired, ``most`` at a time."""
    found = db.execute(
        "SELECT peer, name, seq FROM outbox JOIN stream ON stream.id = outbox.stream WHERE expires <= ? ORDER BY expires LIMIT ?",
        (db.clock.now(), most),
    ).fetchall()
    streams: dict[tuple[str, str], list[int]] = {}
    for peer, stream, seq in found:
        streams.setdefault((peer, stream), []).append(seq)
    return [Expired(*place, *row) for place, seqs in streams.items() for row in bury(db, *place, seqs, EXPIRED)]


def next_expiry(db: Database) -> int | None:
    """Milliseconds until the next message expires."""
    (expires,) = db.execute("SELECT min(expires) FROM outbox WHERE expires IS NOT NULL").fetchone()
    return None if expires is None else expires - db.clock.now()


def outgoing(db: Database) -> list[OutStream]:
    """Every stream to every peer."""
    rows = db.execute("SELECT peer, name, incarnation, last FROM stream ORDER BY peer, name")
    return [OutStream(peer, name, unsigned(incarnation), last) for peer, name, incarnation, last in rows]


def renew(db: Database, peer: str, stream: str) -> tuple[int, int]:
    """Number what waits in a stream anew from 1, in a new incarnation; returns that and the last number."""
    place = _place(db, peer, stream)
    if place is None:
        return unsigned(new_incarnation()), 0
    incarnation, last = db.renumber(place)
    return unsigned(incarnation), last


def purge(db: Database, peer: str) -> int:
    """Forget all that waits for a peer; returns how many messages that were."""
    count = 0
    for (place,) in db.execute("SELECT id FROM stream WHERE peer = ?", (peer,)).fetchall():
        while gone := [_Queued(*row) for row in db.execute(f"{_QUEUED} ORDER BY seq LIMIT ?", (place, database.PAGE))]:
            db.execute("DELETE FROM outbox WHERE stream = ? AND seq <= ?", (place, gone[-1].seq))
            _let_go(db, peer, gone)
            count += len(gone)
    return count


def _let_go(db: Database, peer: str, gone: Sequence[_Queued]) -> None:
    bodies.unqueue(db, [(row.body, row.size) for row in gone])
    db.ledger.add(peer, -len(gone), -sum(row.size for row in gone))
