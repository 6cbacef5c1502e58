"""SQLite's errors as hallway's: no room, broken, busy, or not to be opened."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from hallway.errors import HallwayError, StorageFull, StoreBusy, StoreDamaged, StoreUnusable
from hallway.store.lock import NO_LINK

_NO_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_PROBE_BYTES = 8192
_PRIMARY = 0xFF
"""The primary result code is the low byte of an extended one."""


def is_damage(error: BaseException) -> bool:
    """Whether the database itself is broken, or never was one."""
    if isinstance(error, UnicodeDecodeError):
        # SQLite quotes names of tables as it finds them, and Python cannot read that.
        return True
    return isinstance(error, sqlite3.Error) and _code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_no_room(error: sqlite3.Error, path: Path) -> bool:
    """Whether the disk is full."""
    return isinstance(_of_sqlite(error, path), StorageFull)


def is_busy(error: BaseException) -> bool:
    """Whether another program blocks the database."""
    return isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_BUSY


def explained(error: BaseException, path: Path | None) -> BaseException:
    """``error`` in hallway's words; what is neither SQLite's nor the system's stays as it is."""
    if isinstance(error, OSError) and path is not None:
        return no_room(path) if error.errno in _NO_ROOM else _unusable(path, error.strerror or str(error))
    if not isinstance(error, sqlite3.Error):
        return error
    return _of_sqlite(error, path)


def _of_sqlite(error: sqlite3.Error, path: Path | None) -> HallwayError:
    where = path or "in memory"
    match _code(error):
        case sqlite3.SQLITE_FULL:
            return no_room(path)
        case sqlite3.SQLITE_IOERR:
            return (
                no_room(path) if _has_no_room(path) else StoreDamaged(f"the store {where} cannot be read or written: {error}", hint=_DISK)
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreDamaged(f"the store {where} is damaged: {error}", hint=_RESTART)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(f"another program writes to the store {where}: {error}", hint="close what else has the database open")
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_AUTH:
            return _unusable(path, str(error))
        case _:
            return StoreDamaged(f"the store {where} cannot do what it should: {error}", hint=_DISK)


_DISK = "look at the disk and at the system's log; the store is checked when the device starts again"
_ROOM = "make room; 16 MiB are kept free, or an eighth of a small disk. Nothing needs to be started again"
_RESTART = "start the device again: the file is moved aside and a new one begun"


def _code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY


def no_room(path: Path | None) -> StorageFull:
    """What says that there is no room."""
    where = f"on the disk for the store {path}" if path else "in memory for the store"
    return StorageFull(f"there is no room {where}", hint=_ROOM)


def _unusable(path: Path | None, problem: str) -> HallwayError:
    return StoreUnusable(
        f"the store {path} cannot be opened: {problem}",
        hint="[delivery].store must name a file in a folder that exists and that this user may write to",
    )


def _has_no_room(path: Path | None) -> bool:
    """Whether writing fails for want of space: SQLite says so of a full disk, but calls a used-up quota an I/O error."""
    if path is None:
        return False
    probe = path.with_name(path.name + ".probe")
    try:
        file = os.open(probe, os.O_WRONLY | os.O_CREAT | NO_LINK, 0o600)
        try:
            os.write(file, bytes(_PROBE_BYTES))
            os.fsync(file)
        finally:
            os.close(file)
            probe.unlink()
    except OSError as error:
        return error.errno in _NO_ROOM
    return False
