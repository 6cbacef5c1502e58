"""The tables, and how a database of an earlier version becomes one of this."""

from __future__ import annotations

import sqlite3

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


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
