"""One JSON object a line, in and out, without ever blocking the event loop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import queue
import stat
import threading
from collections.abc import AsyncIterator
from typing import Any

from hallway.events import bytes_as_json

logger = logging.getLogger(__name__)

MAX_LINE = 32 * 1024 * 1024
"""Bytes in one command line, at most: the largest message, and what JSON adds to it. A longer one is answered as malformed."""
CHUNK = 64 * 1024
FLUSH_SECONDS = 0.3
"""How long the end waits for a reader that does not read."""


class LineWriter:
    """Writes lines to a file descriptor from a thread of its own: a reader that stalls stops the writer, not the device.

    `write` waits until the line has been handed to the system.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._broken = False
        self._thread = threading.Thread(target=self._work, name="stdout", daemon=True)
        self._thread.start()

    async def write(self, value: dict[str, Any]) -> None:
        """Write ``value`` as one line of JSON, as `write_text` does."""
        await self.write_text(json.dumps(value, separators=(",", ":"), default=bytes_as_json))

    async def write_text(self, line: str) -> None:
        """Write one line and wait until it is out. Lines that nobody can receive any more are dropped and logged once."""
        written: asyncio.Future[None] = self._loop.create_future()
        self._lines.put((line.encode() + b"\n", written))
        await written

    async def aclose(self) -> None:
        """Stop the thread once what is queued is out, or leave it behind if the reader stalls."""
        self._lines.put(None)
        await asyncio.to_thread(self._thread.join, FLUSH_SECONDS)

    def _work(self) -> None:
        while (item := self._lines.get()) is not None:
            line, written = item
            self._write_all(line)
            self._loop.call_soon_threadsafe(_resolve, written)

    def _write_all(self, line: bytes) -> None:
        try:
            while line and not self._broken:
                line = line[os.write(self._descriptor, line) :]
        except OSError as error:
            self._broken = True
            logger.warning("nobody reads the output any more: %s", error)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def read_lines(descriptor: int) -> AsyncIterator[bytes]:
    """The lines of a file descriptor without their ends, until it ends; works for pipes, sockets, terminals and files."""
    pending, too_long = bytearray(), False
    async for chunk in _chunks(descriptor):
        first, *others = chunk.split(b"\n")
        pending += first
        for other in others:
            if not too_long:
                yield bytes(pending)
            pending, too_long = bytearray(other), False
        if len(pending) > MAX_LINE:
            if not too_long:
                yield bytes(pending[: MAX_LINE + 1])
            pending, too_long = bytearray(), True
    if pending and not too_long:
        yield bytes(pending)


async def _chunks(descriptor: int) -> AsyncIterator[bytes]:
    # A regular file is always ready, and the selector does not take it.
    waits = not stat.S_ISREG(os.fstat(descriptor).st_mode)
    while True:
        if waits:
            waits = await _readable(descriptor)
        chunk = os.read(descriptor, CHUNK)
        if not chunk:
            return
        yield chunk


async def _readable(descriptor: int) -> bool:
    """Wait until there is something to read; False if this descriptor cannot be waited for (/dev/null)."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    try:
        loop.add_reader(descriptor, _resolve, ready)
    except PermissionError:
        return False
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
    return True
