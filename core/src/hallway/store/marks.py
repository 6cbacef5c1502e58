"""A mark beside the database that says how far it had come, so that an older copy in its place is noticed.

Every commit that changes anything counts one up inside the database, in its own transaction; once that is on disk, the count is written
over the mark. So the mark is never ahead of the database that it belongs to. It is forced to disk only at open and close: after a power
cut it may lag behind.
"""

from __future__ import annotations

import logging
import os
import secrets
import zlib
from pathlib import Path
from typing import NamedTuple

from hallway.store.lock import NO_LINK

logger = logging.getLogger(__name__)

_BYTES = 64
_MOST = 2**62
"""More commits than any disk outlives: SQLite's whole numbers end not far beyond."""


class Mark(NamedTuple):
    """Which database (made anew at every doubt), and how many commits it had."""

    generation: str
    commits: int


def new_generation() -> str:
    """A name that no other database has."""
    return secrets.token_hex(8)


class MarkFile:
    """PATH.mark: one line that is always overwritten in place."""

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            OSError: it cannot be opened.

        """
        self._file = os.open(path.with_name(path.name + ".mark"), os.O_RDWR | os.O_CREAT | NO_LINK, 0o600)

    def read(self) -> Mark | None:
        """The mark, or None if there is none that can be read."""
        os.lseek(self._file, 0, os.SEEK_SET)
        fields = os.read(self._file, _BYTES).split()
        if len(fields) != 3 or fields[2] != _check(fields[0], fields[1]) or not (fields[0].isalnum() and fields[1].isdigit()):
            return None
        commits = int(fields[1])
        return Mark(fields[0].decode(), commits) if commits < _MOST else None

    def write(self, mark: Mark, *, force: bool = False) -> None:
        """Write the mark; ``force``: to the disk. One that cannot be written lags behind, which is harmless until a copy is put back."""
        generation, commits = mark.generation.encode(), b"%020d" % mark.commits
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, b"%s %s %s\n" % (generation, commits, _check(generation, commits)))
            if force:
                os.fsync(self._file)
        except OSError as error:
            logger.warning("the mark of the store cannot be written: %s", error)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _check(generation: bytes, commits: bytes) -> bytes:
    return b"%08x" % zlib.crc32(generation + commits)
