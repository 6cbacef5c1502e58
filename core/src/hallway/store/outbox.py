"""The outbox: what waits for each peer, by stream and sequence number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import attrs

from hallway.store import bodies, database, letters
from hallway.store.database import Database, new_incarnation
from hallway.store.ledger import TOTAL
from hallway.store.values import EXPIRED, LARGEST, Acked, Expired, NewMessage, OutStream, Placed, Quota, Waiting, signed, unsigned


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


Order = tuple[NewMessage, tuple[str, ...]]
"""A message, and for whom."""
Single = tuple[NewMessage, str]
"""A message to one receiver."""
Numbered = tuple[int, int]
"""A message's sequence number, and its stream's incarnation."""


@attrs.define
class _Tally:
    """What waits for one receiver, or in all, with what this transaction adds to it."""

    messages: int
    bytes: int

    def add(self, size: int) -> None:
        """One more waits."""
        self.messages += 1
        self.bytes += size

    def takes(self, size: int, quota: Quota) -> bool:
        """Whether one more of ``size`` bytes may wait for the receiver."""
        return self.messages < quota.peer_messages and self.bytes + size <= quota.peer_bytes


@attrs.define(eq=False)
class _Stream:
    """How far a stream is, and what waits for its receiver; ``place`` is its row, None while nobody has looked."""

    peer: str
    peer_name: str
    name: str
    tally: _Tally
    place: int | None = None
    incarnation: int = 0
    last: int = 0


def put(db: Database, orders: Sequence[Order]) -> list[Placed]:
    """Give each message a number in the stream to each of its receivers that has room."""
    db.require_room(sum([len(to) for _, to in orders]), sum([len(message.body) for message, _ in orders]))
    batch = _Batch(db)
    placed = [batch.place(*order) for order in orders]
    batch.store()
    return placed


def put_singles(db: Database, singles: Sequence[Single]) -> list[Numbered | None]:
    """Give each message a number in the stream to its receiver, if there is room."""
    db.require_room(len(singles), sum([len(message.body) for message, _ in singles]))
    batch = _Batch(db)
    numbered = [batch.place_one(*single) for single in singles]
    batch.store()
    return numbered


class _Batch:
    """Messages that go into the outbox by few statements: values of rows, and what they add up to, are gathered and stored at the end."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._now = db.clock.now()
        self._total = _Tally(*db.ledger.of(TOTAL))
        self._tallies: dict[str, _Tally] = {}
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._bodies: list[Any] = []
        self._rows: list[Any] = []

    def place_one(self, message: NewMessage, name: str) -> Numbered | None:
        """Number a message for one receiver, if there is room."""
        size, stream = len(message.body), self._stream(name, message.stream)
        if not self._has_room(size) or not stream.tally.takes(size, self._db.quota):
            return None
        self._add(message, size, (stream,))
        return stream.last, stream.incarnation

    def place(self, message: NewMessage, to: tuple[str, ...]) -> Placed:
        """Number a message for each receiver that has room."""
        size = len(message.body)
        streams = [self._stream(name, message.stream) for name in {name.lower(): name for name in to}.values()]
        takers = [each for each in streams if each.tally.takes(size, self._db.quota)] if self._has_room(size) else []
        if takers:
            self._add(message, size, takers)
        full = tuple(each.peer for each in streams if each not in takers)
        return Placed({each.peer: each.last for each in takers}, full, {each.peer: each.incarnation for each in takers})

    def store(self) -> None:
        """Put into the database what was gathered."""
        db = self._db
        db.insert("body", 5, self._bodies)
        db.insert("outbox", 7, self._rows)
        for stream in self._streams.values():
            if stream.place is not None:
                db.execute("UPDATE stream SET last = ? WHERE id = ?", (stream.last, stream.place))
        for key, tally in ((TOTAL, self._total), *self._tallies.items()):
            messages, size = db.ledger.of(key)
            db.ledger.add(key, tally.messages - messages, tally.bytes - size)

    def _has_room(self, size: int) -> bool:
        return self._total.bytes + size <= self._db.quota.total_bytes

    def _add(self, message: NewMessage, size: int, takers: Sequence[_Stream]) -> None:
        message_id, data, kind, _, ttl_ms = message
        self._db.last_body = body = self._db.last_body + 1
        self._bodies += (body, len(takers), 0, kind, data)
        self._total.add(size)
        expires = None if ttl_ms is None else min(self._now + ttl_ms, LARGEST)
        for stream in takers:
            if stream.place is None:
                stream.place, stream.incarnation, stream.last = _begun(self._db, stream.peer, stream.peer_name, stream.name)
            stream.last += 1
            stream.tally.add(size)
            self._rows += (stream.place, stream.last, message_id, body, size, self._now, expires)

    def _stream(self, peer_name: str, name: str) -> _Stream:
        peer = peer_name.lower()
        stream = self._streams.get((peer, name))
        if stream is None:
            tally = self._tallies.get(peer) or self._tallies.setdefault(peer, _Tally(*self._db.ledger.of(peer)))
            stream = self._streams[peer, name] = _Stream(peer, peer_name, name, tally)
        return stream


def _begun(db: Database, peer: str, name: str, stream: str) -> tuple[int, int, int]:
    """The row of a stream, which begins if there is none: its id, its incarnation and how far it is."""
    found = db.execute("SELECT id, incarnation, last FROM stream WHERE peer = ? AND name = ?", (peer, stream)).fetchone()
    if found is None:
        place, incarnation = _new_stream(db, peer, name, stream)
        return place, unsigned(incarnation), 0
    return found[0], unsigned(found[1]), found[2]


def has_room(db: Database, peer: str, size: int) -> bool:
    """Whether that peer's quota takes one more message of ``size`` bytes."""
    return _Tally(*db.ledger.of(peer)).takes(size, db.quota)


def append(db: Database, peer: str, name: str, stream: str, row: Row) -> int:
    """Store a row at the end of a stream; returns its number."""
    place, _, last = _begun(db, peer, name, stream)
    db.execute("UPDATE stream SET last = ? WHERE id = ?", (last + 1, place))
    db.insert("outbox", 7, [place, last + 1, row.message_id, row.body, row.size, db.clock.now(), row.expires])
    db.ledger.add(peer, 1, row.size)
    return last + 1


def last(db: Database, peer: str, stream: str) -> int:
    """The highest number ever given in a stream."""
    found = db.execute("SELECT last FROM stream WHERE peer = ? AND name = ?", (peer, stream)).fetchone()
    return 0 if found is None else int(found[0])


def _new_stream(db: Database, peer: str, name: str, stream: str) -> tuple[int, int]:
    db.execute("INSERT OR IGNORE INTO peer VALUES (?, ?, NULL)", (peer, name))
    incarnation = new_incarnation()
    values = (peer, stream, incarnation)
    place = db.execute("INSERT INTO stream (peer, name, incarnation, last) VALUES (?, ?, ?, 0)", values).lastrowid
    assert place is not None
    return place, incarnation


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
