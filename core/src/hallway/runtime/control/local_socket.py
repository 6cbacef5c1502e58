"""The local control socket: commands of this machine's operator to a running device, one JSON object a line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from pathlib import Path
from typing import Any

from hallway.errors import BusyError, ControlUnavailable, HallwayError, MisuseError
from hallway.runtime.control import place
from hallway.runtime.control.commands import BadCommand, Commands, refusal
from hallway.runtime.tasks import TaskSet

logger = logging.getLogger(__name__)

MAX_LINE = 64 * 1024
"""Bytes in one command, at most; a longer one is refused."""
MAX_CONNECTIONS = 8
IDLE_SECONDS = 10.0
"""How long a client may take over a line, and over reading its answer."""


class ControlSocket:
    """Answers ``commands`` at ``path`` between `start` and `aclose`, or nowhere if there is no path.

    A client may send any number of commands, and gets the answers in their order.
    Only the user that runs the device, and root, get in. A client that is slow, or says what is no command, troubles nobody else.
    """

    def __init__(self, path: Path | None, commands: Commands, tasks: TaskSet) -> None:
        self._path = path
        self._commands = commands
        self._tasks = tasks
        self._running: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._file: tuple[int, int] | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ControlUnavailable: the socket cannot be made there.

        """
        if self._path is None:
            return
        if not hasattr(socket, "AF_UNIX"):
            raise ControlUnavailable("this system has no Unix-domain sockets", hint="stop the device before its store is looked at")
        try:
            listener = await asyncio.to_thread(place.listen, self._path)
            found = self._path.lstat()
        except OSError as error:
            raise ControlUnavailable(
                f"the control socket {self._path} cannot be made: {error.strerror or error}",
                hint="its folder must be one that this user may write to, and its name shorter than 100 characters",
            ) from error
        self._file = found.st_dev, found.st_ino
        self._server = await asyncio.start_unix_server(self._connected, sock=listener, limit=MAX_LINE)

    async def aclose(self) -> None:
        """End what runs and take the socket away. Closing twice is silent."""
        server, self._server = self._server, None
        if server is None:
            return
        await asyncio.to_thread(self._take_away)
        server.close()
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    def _take_away(self) -> None:
        assert self._path is not None
        with contextlib.suppress(FileNotFoundError):
            found = self._path.lstat()
            # Whoever has put another one there means it.
            if (found.st_dev, found.st_ino) == self._file:
                self._path.unlink()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client is done with once all that it was told has left: `drain` waits for that.
        writer.transport.set_write_buffer_limits(0)
        if (refused := self._refused(writer)) is not None:
            writer.write(_line(refusal(refused)))
            writer.close()
            return
        task = self._tasks.start(self._serve(reader, writer), "control connection")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _refused(self, writer: asyncio.StreamWriter) -> HallwayError | None:
        if place.user_of(writer.get_extra_info("socket")) not in {None, 0, os.geteuid()}:
            return MisuseError("the device is another user's", hint="run the command as the user that runs the device")
        if len(self._running) >= MAX_CONNECTIONS:
            return BusyError(f"{MAX_CONNECTIONS} others speak to the device", hint="try again in a moment")
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while answer := await self._answer(reader):
                async with asyncio.timeout(IDLE_SECONDS):
                    writer.write(_line(answer))
                    await writer.drain()
        except (TimeoutError, OSError) as error:
            logger.debug("a client of the control socket was left: %r", error)
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> dict[str, Any] | None:
        """The answer to the next command; None at the end."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                line = await reader.readline()
        except ValueError:
            # What is left of the line is read as the next one, and is none either.
            return refusal(BadCommand(f"a command has at most {MAX_LINE} bytes"))
        return await self._commands.answer(line) if line else None


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"
