"""Keeps the last-good addresses of peers: in the peer table while the device runs, and in a file for its next start."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hallway.model import Gone, PeerRecord, Seen, Sighting
from hallway.protocol.last_good import LastGood, best
from hallway.store.lock import NO_LINK

logger = logging.getLogger(__name__)

SOURCE = "last-good"
MAX_BYTES = 256 * 1024
WRITE_PAUSE = 1.0
"""Seconds between two writes, at least."""

ADVICE = "Let [discovery].last_good name a file in a folder that this device may write to"


class AddressMemory:
    """Remembers where links work. ``path`` is the file, or None; ``report`` takes sightings."""

    def __init__(self, property_id: str, path: str | None, report: Callable[[str, Sighting], None]) -> None:
        self._known = LastGood(property_id)
        self._path = Path(path) if path is not None else None
        self._report = report
        self._dirty = asyncio.Event()
        self._writing = threading.Lock()

    async def run(self) -> None:
        """Read the file and report what it says, then write it whenever there is news, until cancelled."""
        if self._path is None:
            return
        await asyncio.to_thread(self._read, self._path)
        for record in self._known.records(time.time()):
            self._report(SOURCE, Seen(record))
        while True:
            await self._dirty.wait()
            text = self._known.dumps()
            await asyncio.to_thread(self._write, self._path, text)
            # Only now: if this is cancelled before, `save` writes what it was about.
            if text == self._known.dumps():
                self._dirty.clear()
            await asyncio.sleep(WRITE_PAUSE)

    def works(self, record: PeerRecord, remote: str | None) -> None:
        """A link to the peer is open, and messages pass to the address ``remote``, if that is known."""
        place = best(record, remote)
        if not place.endpoints:
            return
        if self._known.remember(place, time.time()):
            self._dirty.set()
        self._report(SOURCE, Seen(place))

    def left(self, peer_id: str) -> None:
        """The peer has said bye: until it is linked again there is nothing to try. The file keeps its address for the next start."""
        self._report(SOURCE, Gone(peer_id))

    def save(self) -> None:
        """Write what is not written yet; blocks for as long as the disk takes."""
        if self._path is not None and self._dirty.is_set():
            self._write(self._path, self._known.dumps())

    def _read(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                text = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return
        except OSError as error:
            reason = error.strerror or str(error)
            logger.warning("the last addresses of peers cannot be read from %s: %s. %s", path, reason, ADVICE)
            return
        if len(text) > MAX_BYTES or not self._known.loads(text):
            logger.warning("%s holds no addresses of peers of this property; it will be written anew", path)

    def _write(self, path: Path, text: str) -> None:
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with self._writing:
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(part, "w", encoding="utf-8", opener=_private) as file:
                    file.write(text)
                part.replace(path)
        except OSError as error:
            reason = error.strerror or str(error)
            logger.warning("the last addresses of peers cannot be written to %s: %s. %s", path, reason, ADVICE)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    """Who is at the site, and where, is nobody else's business."""
    return os.open(path, flags | NO_LINK, 0o600)
