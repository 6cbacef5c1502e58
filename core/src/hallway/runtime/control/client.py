"""The other end of the local control socket: what a command of the operator asks a running device."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hallway.errors import CommandRefused, ControlUnavailable, DeadlineExceeded, Unreachable
from hallway.runtime.control import place

MAX_ANSWER = 4 * 1024 * 1024
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 30.0
"""How long a device may take over a command: it may have a slow disk, and much to read."""
HELD_UP = "the device is held up: look at its log, or stop it and try again"


class ControlClient:
    """A connection to a running device. Made by `connected`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._owed = 0
        """Answers that have not come yet: whoever gave up waiting for one leaves it to the next."""

    async def ask(self, command: dict[str, Any]) -> Any:
        """The value of a command.

        Raises:
            CommandRefused: the device says no.
            ControlUnavailable: what it says is no answer.
            DeadlineExceeded, Unreachable: there was no answer.

        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self._writer.write(json.dumps(command).encode() + b"\n")
                self._owed += 1
                await self._writer.drain()
                line = await self._own_answer()
        except TimeoutError as error:
            raise DeadlineExceeded("the device has not answered in time", hint=HELD_UP) from error
        except OSError as error:
            raise _gone() from error
        if not line.endswith(b"\n"):
            raise _gone()
        return read_answer(line)

    async def _own_answer(self) -> bytes:
        """The answer to the newest command: a device answers in order."""
        while True:
            line = await self._reader.readline()
            self._owed -= 1
            if not self._owed or not line:
                return line


@asynccontextmanager
async def connected(path: Path, owner: int | None = None) -> AsyncIterator[ControlClient | None]:
    """A client of the device at ``path``, None if no device listens there.

    Args:
        path: the control socket.
        owner: the id of the user whose device it is, if that is not this user or root.

    Raises:
        ControlUnavailable: this user may not use it, or another user listens there.
        DeadlineExceeded: the device does not take the connection.

    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            with place.address(path) as at:
                reader, writer = await asyncio.open_unix_connection(at, limit=MAX_ANSWER)
    except (FileNotFoundError, ConnectionRefusedError):
        yield None
        return
    except TimeoutError as error:
        raise DeadlineExceeded(f"nobody takes the connection at {path}", hint=HELD_UP) from error
    except OSError as error:
        raise ControlUnavailable(
            f"the control socket {path} cannot be used: {error.strerror or error}", hint="run the command as the user that runs the device"
        ) from error
    try:
        _check_user(path, writer, owner)
        yield ControlClient(reader, writer)
    finally:
        writer.transport.abort()


def _check_user(path: Path, writer: asyncio.StreamWriter, owner: int | None) -> None:
    """In a folder for everybody, anybody may have been there first."""
    user = place.user_of(writer.get_extra_info("socket"))
    if user not in {None, 0, os.geteuid(), owner}:
        raise ControlUnavailable(f"user {user} listens at {path}, who has no part in it", hint="keep the store in a folder of its own")


def read_answer(line: bytes) -> Any:
    """The value in an answer.

    Raises:
        CommandRefused: the device says no.
        ControlUnavailable: it is no answer.

    """
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _no_device() from error
    match answer:
        case {"ok": True, "value": value}:
            return value
        case {"ok": False, "error": {"code": str(code), "message": str(message), "hint": str(hint)}}:
            raise CommandRefused(message, code=code, hint=hint)
    raise _no_device()


def _no_device() -> ControlUnavailable:
    return ControlUnavailable("what answers at the control socket is no device of this version", hint="restart the device, and try again")


def _gone() -> Unreachable:
    return Unreachable("the device has closed the connection without an answer", hint="it may have ended: try again")
