"""The open database: one connection, its clock, its counters and its mark. Belongs to the writer's thread."""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hallway.store import faults, schema
from hallway.store.clock import Clock, Machine
from hallway.store.ledger import LETTERS, TOTAL, Ledger
from hallway.store.marks import Mark, MarkFile, new_generation
from hallway.store.room import ROW_BYTES, Room
from hallway.store.values import Quota, signed

logger = logging.getLogger(__name__)

PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -4096",
    "PRAGMA journal_size_limit = 8388608",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = OFF",
)
PARTS = ("", "-wal", "-shm")
"""What the names of a database's files end in."""
PAGE = 1000
"""Rows that are in memory at once, where all have to be gone through."""
_PRIVATE = 0o600
_ROWS = (256, 64, 16, 4, 1)
"""How many rows one statement inserts: few forms, so that each stays prepared."""
_BUSY_SECONDS = 5.0
_IDLE_MS = 60_000
"""Milliseconds after which the time is saved even where nothing else is written."""


class Damaged(Exception):
    """The file is no sound database."""


def connect(path: Path | None, *, alone: bool = False) -> sqlite3.Connection:
    """Open the database, sound and with the tables of this version.

    ``alone``: nobody else may even read it meanwhile; that takes no room on a disk which has none.

    Raises:
        Damaged: it is not sound.
        StoreUnusable: it is a newer version's, or another program's.
        sqlite3.Error, OSError: it cannot be opened.

    """
    if path is not None:
        path.touch(_PRIVATE)
    connection = sqlite3.connect(":memory:" if path is None else path, isolation_level=None, timeout=_BUSY_SECONDS)
    try:
        if alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        _prepare(connection, path)
    except BaseException as error:
        connection.close()
        if faults.is_damage(error):
            raise Damaged(str(error)) from error
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path | None) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise Damaged(found)
    schema.check(connection, str(path))
    if path is not None:
        make_private(path)
        connection.execute("PRAGMA journal_mode = WAL")
    for pragma in PRAGMAS:
        connection.execute(pragma)
    schema.migrate(connection)
    if path is not None and (problem := schema.damage(connection)) is not None:
        raise Damaged(problem)


def make_private(path: Path) -> None:
    """See that nobody but their owner reads the files of the database: messages are in them."""
    for part in PARTS:
        file = path.with_name(path.name + part)
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(_PRIVATE)


class Database:
    """A connection and what must follow its transactions."""

    def __init__(
        self, connection: sqlite3.Connection, quota: Quota, machine: Machine, marks: MarkFile | None, path: Path | None = None
    ) -> None:
        self._path = path
        self._room = None if path is None else Room(path)
        if self._room is not None:
            connection.execute(f"PRAGMA wal_autocheckpoint = {self._room.log_pages}")
        self.connection = connection
        self.execute = connection.execute
        self.executemany = connection.executemany
        self._most_values = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self.quota = quota
        self.ledger = counted(connection)
        if connection.execute("SELECT 1 FROM life").fetchone() is None:
            values = (new_generation(), machine.reading(), machine.boot())
            connection.execute("INSERT INTO life VALUES (1, ?, 0, 0, ?, ?)", values)
        generation, commits, *saved = connection.execute("SELECT generation, commits, clock, reading, boot FROM life").fetchone()
        self.mark = Mark(generation, commits)
        self.new = commits == 0
        self.clock = Clock(machine, *saved)
        self._marks = marks
        self._saved = 0
        self._changes = connection.total_changes
        self.last_body: int
        """The highest id that was given to a body."""
        (self.last_body,) = connection.execute("SELECT coalesce(max(id), 0) FROM body").fetchone()

    def insert(self, table: str, columns: int, values: list[Any]) -> int:
        """Insert rows of so many ``columns``, whose values follow each other; returns the id of the last row.

        Many by one statement: every step of SQLite is a change of threads.
        """
        at, last, row = 0, 0, f"({','.join('?' * columns)})"
        for rows in _ROWS:
            step = columns * rows
            while len(values) - at >= step and step <= self._most_values:
                statement = f"INSERT INTO {table} VALUES {','.join([row] * rows)}"  # noqa: S608 - our own tables
                last = self.execute(statement, values[at : at + step]).lastrowid or 0
                at += step
        return last

    def require_room(self, rows: int, size: int) -> None:
        """See whether the disk takes ``rows`` rows more with ``size`` bytes in all: what is stored must not use up what forgetting needs.

        Raises:
            StorageFull: it does not.

        """
        size += ROW_BYTES * rows
        if self._room is None or self._room.is_ample_for(size):
            return
        (free_pages,) = self.execute("PRAGMA freelist_count").fetchone()
        if not self._room.is_for(size, free_pages):
            raise faults.no_room(self._path)

    def begin(self) -> None:
        """Begin a transaction; whoever else has the database open may only read meanwhile."""
        self.execute("BEGIN IMMEDIATE")
        self._changes = self.connection.total_changes

    def commit(self) -> bool:
        """Put the transaction on disk, with the time and one commit more if it changed anything; returns whether it did."""
        value, reading = self.clock.read()
        changed = self.connection.total_changes != self._changes or value - self._saved >= _IDLE_MS
        if changed:
            self._count_commit(value, reading)
        self.execute("COMMIT")
        self.ledger.commit()
        if changed:
            self._follow(value)
        return changed

    def rollback(self) -> None:
        """Undo the transaction, if SQLite has not done so itself."""
        self.ledger.rollback()
        if self.connection.in_transaction:
            self.execute("ROLLBACK")

    def is_that_of(self, mark: Mark | None) -> bool:
        """Whether the mark is this database's, and not ahead of it."""
        return mark is not None and mark.generation == self.mark.generation and mark.commits <= self.mark.commits

    def touch(self) -> None:
        """Change something, so that the transaction counts."""
        self.execute("UPDATE life SET boot = boot")

    def reuse_log(self) -> None:
        """Move what is in the log into the database: on a full disk the next commit then needs no new room for the log."""
        try:
            self.execute("PRAGMA wal_checkpoint(RESTART)")
        except sqlite3.Error as error:
            logger.debug("the log of the store cannot be used again: %s", error)

    def begin_anew(self, commits: int) -> None:
        """Give the database a new generation, and every stream a new incarnation with what waits numbered from 1."""
        self.mark = Mark(new_generation(), commits)
        self.execute("UPDATE life SET generation = ?, commits = ?", self.mark)
        for (stream,) in self.execute("SELECT id FROM stream").fetchall():
            self.renumber(stream)

    def renumber(self, stream: int) -> tuple[int, int]:
        """Give a stream a new incarnation, in which what waits has the numbers from 1; returns that and the last number."""
        incarnation, last, after = new_incarnation(), 0, 0
        of_page = "SELECT seq FROM outbox WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ?"
        while seqs := [seq for (seq,) in self.execute(of_page, (stream, after, PAGE))]:
            # None takes a number that another still has: they only become smaller.
            renumbered = [(number, stream, seq) for number, seq in enumerate(seqs, last + 1)]
            self.executemany("UPDATE outbox SET seq = ? WHERE stream = ? AND seq = ?", renumbered)
            last, after = last + len(seqs), seqs[-1]
        self.execute("UPDATE stream SET incarnation = ?, last = ? WHERE id = ?", (incarnation, last, stream))
        return incarnation, last

    def close(self) -> None:
        """Save the time and close."""
        try:
            self._save_time()
        except sqlite3.Error as error:
            logger.warning("the store's time could not be saved: %s", error)
        finally:
            self.connection.close()
            if self._marks is not None:
                self._marks.write(self.mark, force=True)

    def _save_time(self) -> None:
        self._saved = -_IDLE_MS
        self.begin()
        try:
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def _count_commit(self, value: int, reading: int) -> None:
        self.execute("UPDATE life SET commits = commits + 1, clock = ?, reading = ?, boot = ?", (value, reading, self.clock.boot))

    def _follow(self, value: int) -> None:
        self._saved = value
        self.mark = Mark(self.mark.generation, self.mark.commits + 1)
        if self._marks is not None:
            self._marks.write(self.mark)


def runs(numbers: Iterable[int]) -> Iterator[range]:
    """The ranges of numbers that follow each other: what they name goes by one statement."""
    start = end = None
    for number in sorted(numbers):
        if number != end:
            if start is not None and end is not None:
                yield range(start, end)
            start = number
        end = number + 1
    if start is not None and end is not None:
        yield range(start, end)


def new_incarnation() -> int:
    """A random name for a stream's numbering, as SQLite holds it."""
    return signed(secrets.randbits(64))


def counted(connection: sqlite3.Connection) -> Ledger:
    """The counters as the tables have them."""
    ledger = Ledger()
    per_peer = "SELECT peer, count(*), sum(size) FROM outbox JOIN stream ON stream.id = outbox.stream GROUP BY peer"
    for peer, count, size in connection.execute(per_peer):
        ledger.add(peer, count, size)
    ledger.add(TOTAL, *connection.execute("SELECT count(*), coalesce(sum(length(bytes)), 0) FROM body WHERE queued > 0").fetchone())
    ledger.add(LETTERS, *connection.execute("SELECT count(*), coalesce(sum(size), 0) FROM letter").fetchone())
    ledger.commit()
    return ledger
