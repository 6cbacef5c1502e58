"""The tables, and how a database of an earlier version becomes one of this."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache

from hallway.errors import StoreUnusable

_FIRST = (
    """CREATE TABLE life (
        id INTEGER PRIMARY KEY CHECK (id = 1), generation TEXT NOT NULL, commits INTEGER NOT NULL,
        clock INTEGER NOT NULL, reading INTEGER NOT NULL, boot TEXT NOT NULL)""",
    "CREATE TABLE peer (key TEXT PRIMARY KEY, name TEXT NOT NULL, seen REAL) WITHOUT ROWID",
    """CREATE TABLE body (
        id INTEGER PRIMARY KEY, queued INTEGER NOT NULL, dead INTEGER NOT NULL, kind INTEGER NOT NULL, bytes BLOB NOT NULL)""",
    """CREATE TABLE stream (
        id INTEGER PRIMARY KEY, peer TEXT NOT NULL, name TEXT NOT NULL, incarnation INTEGER NOT NULL, last INTEGER NOT NULL,
        UNIQUE (peer, name))""",
    """CREATE TABLE outbox (
        stream INTEGER NOT NULL, seq INTEGER NOT NULL, message_id BLOB NOT NULL, body INTEGER NOT NULL, size INTEGER NOT NULL,
        created INTEGER NOT NULL, expires INTEGER, PRIMARY KEY (stream, seq)) WITHOUT ROWID""",
    "CREATE INDEX outbox_expires ON outbox (expires) WHERE expires IS NOT NULL",
    """CREATE TABLE position (
        peer TEXT NOT NULL, stream TEXT NOT NULL, incarnation INTEGER NOT NULL, upto INTEGER NOT NULL,
        PRIMARY KEY (peer, stream)) WITHOUT ROWID""",
    """CREATE TABLE inbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, peer TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, message_id BLOB NOT NULL,
        kind INTEGER NOT NULL, body BLOB NOT NULL, flags INTEGER NOT NULL)""",
    """CREATE TABLE letter (
        id INTEGER PRIMARY KEY AUTOINCREMENT, direction TEXT NOT NULL, peer TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
        message_id BLOB NOT NULL, body INTEGER NOT NULL, size INTEGER NOT NULL, flags INTEGER NOT NULL, reason TEXT NOT NULL,
        buried INTEGER NOT NULL)""",
)

LARGEST_NUMBER = 2**62
_STORED = {"INTEGER": "'integer'", "TEXT": "'text'", "BLOB": "'blob'", "REAL": "'real', 'integer'"}
"""As what a column's values are stored (https://www.sqlite.org/datatype3.html section 2)."""
_Column = tuple[str, str, bool]

_ARRIVALS = ("ALTER TABLE inbox ADD COLUMN arrived INTEGER",)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _ARRIVALS)
"""Statements that lead from each version to the next; the version is how many of these a database has seen (``PRAGMA user_version``)."""


def check(connection: sqlite3.Connection, path: str) -> None:
    """Look whose database this is, and change nothing.

    Raises:
        StoreUnusable: the database is a newer hallway's, or another program's.

    """
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise StoreUnusable(
            f"the store {path} has version {version}, and this hallway knows versions up to {len(MIGRATIONS)}",
            hint="a newer hallway made it: run that one, or name another file in [delivery].store",
        )
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise StoreUnusable(
            f"{path} is the database of another program", hint="name a file of its own in [delivery].store; it is made if it is not there"
        )


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to this version, in one transaction."""
    version = _version(connection)
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def damage(connection: sqlite3.Connection) -> str | None:
    """What a database of this version has that we never write, as a clause: a table or a column that is not ours, a text for a number.

    SQLite's own check sees that pages are whole; a column takes whatever it is given (https://www.sqlite.org/flexibletypegood.html).
    """
    found, ours = _columns(connection), _ours()
    if found.keys() != ours.keys():
        return f"it has other tables than it was made with: {', '.join(sorted(found.keys() ^ ours.keys()))}"
    for table, columns in ours.items():
        if found[table] != columns:
            return f"table {table} has other columns than it was made with"
        wrong = " OR ".join(_is_wrong(*column) for column in columns)
        if connection.execute(f"SELECT 1 FROM {table} WHERE {wrong} LIMIT 1").fetchone():  # noqa: S608 - names and types are our own
            return f"table {table} has values that were never written to it"
        if not _is_text(connection, table, [name for name, kind, _ in columns if kind == "TEXT"]):
            return f"table {table} has texts that are none"
    return None


def _is_text(connection: sqlite3.Connection, table: str, names: list[str]) -> bool:
    """Whether these columns can be read; Python reads UTF-8 only, and SQLite takes anything for it."""
    try:
        for _ in connection.execute(f"SELECT DISTINCT {', '.join(names) or 'NULL'} FROM {table}"):  # noqa: S608 - names are our own
            pass
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) is not None:
            raise
        return False
    return True


@cache
def _ours() -> dict[str, list[_Column]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        return _columns(connection)


def _columns(connection: sqlite3.Connection) -> dict[str, list[_Column]]:
    """The columns of each table: name, declared type, and whether they have a value always."""
    rows = connection.execute(
        """SELECT m.name, c.name, c.type, c."notnull" OR c.pk FROM sqlite_master m, pragma_table_info(m.name) c
           WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid"""
    )
    found: dict[str, list[_Column]] = {}
    for table, *column in rows:
        found.setdefault(table, []).append((column[0], column[1], bool(column[2])))
    return found


def _is_wrong(name: str, kind: str, always: bool) -> str:
    types = _STORED[kind] + ("" if always else ", 'null'")
    # Far from where SQLite's whole numbers end; an incarnation is a random one, and has all 64 bits.
    far = f" OR {name} NOT BETWEEN {-LARGEST_NUMBER} AND {LARGEST_NUMBER}" if kind == "INTEGER" and name != "incarnation" else ""
    return f"typeof({name}) NOT IN ({types}){far}"


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
