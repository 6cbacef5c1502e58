"""Commands in JSON: what can be asked of a running device, on stdin or over its control socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hallway.errors import HallwayError, MisuseError
from hallway.protocol import jsontext

Handler = Callable[[dict[str, Any]], Awaitable[Any]]
"""Gets the whole command and returns a JSON value; a `HallwayError` is the answer as well."""


class BadCommand(MisuseError):
    """What came is no command."""

    code = "bad-command"


class Commands:
    """Handlers by the name of the command."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._fields: dict[str, tuple[str, ...]] = {}

    def serve(self, name: str, handler: Handler, fields: Sequence[str] | None = None) -> None:
        """Answer the command ``name`` by ``handler``. ``fields``: all that it may have beside ``command`` and ``tag``; None: any.

        Raises:
            MisuseError: the name is taken.

        """
        if name in self._handlers:
            raise MisuseError(f"there is a command {name!r} already")
        self._handlers[name] = handler
        if fields is not None:
            self._fields[name] = ("command", *fields, "tag")

    async def answer(self, line: bytes) -> dict[str, Any]:
        """The answer to one line: its ``tag``, ``ok``, and ``value`` or ``error``."""
        tag: Any = None
        try:
            command = _parse(line)
            tag = command.get("tag")
            value = await self.run(command)
        except HallwayError as error:
            return {"tag": tag, **refusal(error)}
        return {"tag": tag, "ok": True, "value": value}

    async def run(self, command: dict[str, Any]) -> Any:
        """The value of one command.

        Raises:
            BadCommand: there is no such command, it lacks something, or has what it does not know.
            HallwayError: what its handler raises.

        """
        name = command.get("command")
        handler = self._handlers.get(name) if isinstance(name, str) else None
        if handler is None:
            raise BadCommand(f"there is no command {name!r}", hint=f"use one of {', '.join(self._handlers)}")
        known = self._fields.get(str(name), tuple(command))
        if unknown := [field for field in command if field not in known]:
            raise BadCommand(f"{name} has no field {unknown[0]!r}", hint=f"its fields are {', '.join(known)}")
        return await handler(command)


def refusal(error: HallwayError) -> dict[str, Any]:
    """What answers a command that failed."""
    return {"ok": False, "error": {"code": error.code, "message": str(error), "hint": error.hint}}


def _parse(line: bytes) -> dict[str, Any]:
    try:
        command = jsontext.loads(line)
    except jsontext.BadJson as error:
        raise BadCommand(f"the line is {error}", hint='write {"command": "status"}') from error
    if not isinstance(command, dict):
        raise BadCommand("a command is an object", hint='write {"command": "status"}')
    return command
