"""Room on a disk into which nothing more is stored: to forget what was delivered is written, too."""

from __future__ import annotations

import shutil
from pathlib import Path

SPARE_BYTES = 16 * 1024 * 1024
"""Room that the database and its log keep, unless that is more than `SPARE_PART` of a small disk."""
SPARE_PART = 1 / 8
PAGE_BYTES = 4096
GROSS = 1.1
"""What is stored is written into the log, and from there into the database, each with a tenth of its own."""
ROW_BYTES = 256
"""Bytes that a row takes beside its body, at most."""


class Room:
    """The disk on which a database lies.

    Half of the spare room is for the log, half for what is in the log and has still to find a place in the database. Either has twice what
    it needs.
    """

    def __init__(self, database: Path) -> None:
        self._folder = database.parent
        self._log = database.with_name(database.name + "-wal")
        self.spare = int(min(SPARE_BYTES, SPARE_PART * shutil.disk_usage(self._folder).total))

    @property
    def log_pages(self) -> int:
        """Pages in the log after which they are moved into the database."""
        return max(1, min(1000, self.spare // (4 * PAGE_BYTES)))

    def is_ample_for(self, size: int) -> bool:
        """Whether so many bytes more can be stored, and be forgotten again, whatever the database has free in itself."""
        return self._free() >= self.spare + 2 * GROSS * size

    def is_for(self, size: int, free_pages: int) -> bool:
        """The same, for a database with so many free pages."""
        growth = max(0.0, self.spare / 2 + GROSS * size - free_pages * PAGE_BYTES)
        log = self._log.stat().st_size if self._log.exists() else 0
        return self._free() + log >= self.spare / 2 + GROSS * size + growth

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free
