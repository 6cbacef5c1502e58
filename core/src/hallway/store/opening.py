"""How a store is opened: locked, checked, moved aside if it is damaged, and compared with its mark."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from contextlib import ExitStack
from pathlib import Path

from hallway.errors import StoreUnusable
from hallway.store import faults
from hallway.store.clock import Machine
from hallway.store.database import PARTS, Damaged, Database, connect, make_private
from hallway.store.lock import Lock
from hallway.store.marks import Mark, MarkFile
from hallway.store.values import Quota

logger = logging.getLogger(__name__)


class Opened:
    """A database with its lock and its mark, and what the operator should know of its opening."""

    def __init__(self, path: Path | None, quota: Quota, machine: Machine) -> None:
        """Open it. Errors come as the system and SQLite make them."""
        self.notices: list[str] = []
        with ExitStack() as held:
            self.database = _in_memory(quota, machine) if path is None else self._on_disk(path, quota, machine, held)
            self._held = held.pop_all()
        for notice in self.notices:
            logger.warning("%s", notice)

    def close(self) -> None:
        """Close the database and let go of everything."""
        with self._held:
            self.database.close()

    def _on_disk(self, path: Path, quota: Quota, machine: Machine, held: ExitStack) -> Database:
        if path.exists() and not path.is_file():
            raise IsADirectoryError(errno.EISDIR, "it is not a file")
        held.callback(Lock(path).release)
        connection = self._sound(path)
        try:
            marks = MarkFile(path)
            held.callback(marks.close)
            database = Database(connection, quota, machine, marks, path)
            self._compare(path, database, marks)
        except BaseException:
            connection.close()
            raise
        return database

    def _sound(self, path: Path) -> sqlite3.Connection:
        try:
            return _connect(path)
        except Damaged as damage:
            aside = move_aside(path)
            self.notices.append(f"the store {path} was damaged ({damage}): it is kept as {aside}, and a new one was begun")
        try:
            return connect(path)
        except Damaged as damage:
            raise StoreUnusable(f"a new store at {path} is damaged at once: {damage}", hint="the disk is broken: use another") from damage

    def _compare(self, path: Path, database: Database, marks: MarkFile) -> None:
        """Begin the numbering anew if the database is not the one that was here last; then count this opening."""
        mark = marks.read()
        known = database.is_that_of(mark)
        try:
            self._count(path, database, mark, known=known)
        except sqlite3.Error as error:
            database.rollback()
            if not known or not faults.is_no_room(error, path):
                raise
            self.notices.append(f"there is no room on the disk for the store {path}: nothing more is stored until there is some")
        marks.write(database.mark, force=True)

    def _count(self, path: Path, database: Database, mark: Mark | None, *, known: bool) -> None:
        database.begin()
        if database.new and mark is not None and not self.notices:
            self.notices.append(f"the store {path} was gone, and a new one was begun: messages that it held are lost")
        elif not database.new and not known:
            database.begin_anew(max(database.mark.commits, 0 if mark is None else mark.commits))
            self.notices.append(
                f"the store {path} is an older copy, or another's: messages may come twice, and those put since it was made are lost"
            )
        database.touch()
        database.commit()


def _connect(path: Path) -> sqlite3.Connection:
    try:
        return connect(path)
    except sqlite3.Error as error:
        if not faults.is_no_room(error, path) or not path.stat().st_size:
            raise
        return connect(path, alone=True)


def _in_memory(quota: Quota, machine: Machine) -> Database:
    return Database(connect(None), quota, machine, None)


def move_aside(path: Path) -> Path:
    """Rename the database and its parts to PATH.damaged-<n>, with the first number that is free."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.damaged-{number}")):
        number += 1
    for part in PARTS:
        source = path.with_name(path.name + part)
        if source.exists():
            source.rename(aside.with_name(aside.name + part))
    make_private(aside)
    return aside
