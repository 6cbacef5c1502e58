"""One process at a time: a lock beside the database that the system lets go of when its holder dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hallway.errors import StoreBusy

NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""Whoever may make files beside a store could otherwise lead what is written there to another file."""
_FAR = 1 << 30
"""Where the locked byte is on Windows, whose locks forbid reading: far behind the process id."""


class Lock:
    """Holds PATH.lock, in which the holder's process id stands. The file stays when the lock is let go: only the lock itself counts."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            StoreBusy: another store has it, of this process or of another.
            OSError: the file cannot be made.

        """
        beside = path.with_name(path.name + ".lock")
        self._file = os.open(beside, os.O_RDWR | os.O_CREAT | NO_LINK, 0o600)
        try:
            self._take(path)
        except BaseException:
            os.close(self._file)
            raise

    def _take(self, path: Path) -> None:
        if not _lock(self._file):
            owner = os.read(self._file, 32).decode("ascii", "replace").strip()
            who = "this process itself" if owner == str(os.getpid()) else f"process {owner or 'unknown'}"
            raise StoreBusy(
                f"the store {path} is in use by {who}",
                hint=f"stop process {owner or 'that has it'} first, or give this device a store of its own",
            )
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let go."""
        os.close(self._file)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> bool:
        os.lseek(file, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(file, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
