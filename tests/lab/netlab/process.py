"""A program that runs on a host of the lab, and speaks JSON lines if it likes."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from asyncio.subprocess import PIPE
from collections.abc import Callable, Mapping, Sequence
from signal import SIGKILL, SIGTERM, Signals
from typing import IO, Any, TypedDict, TypeVar, Unpack

import attrs

from netlab.namespaces import is_alive
from netlab.system import LabError

Json = dict[str, Any]
Stream = int | IO[bytes]
Taken = TypeVar("Taken")

DEFAULT_TIMEOUT = 20.0
"""Seconds that anything awaited from a process may take. It bounds a failing test; no passing test waits for it."""

_LINE_LIMIT = 2**24
_SHOWN_LINES = 40


class ProcessError(LabError):
    """A process did not do what was awaited; the message shows what it said instead."""


@attrs.frozen
class Finished:
    """What a program that ran to its end left: exit status and output."""

    status: int
    stdout: str
    stderr: str


@attrs.frozen
class Line:
    """One line of stdout; ``json`` is None where it is no JSON object."""

    text: str
    json: Json | None

    @classmethod
    def parse(cls, text: str) -> Line:
        """A line as it came, without its end."""
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        return cls(text, value if isinstance(value, dict) else None)


def matching(**fields: object) -> Callable[[Json], bool]:
    """A predicate for `Process.wait_for`: the line has all these fields with these values."""
    return lambda line: all(name in line and line[name] == value for name, value in fields.items())


class Process:
    """A running program. ``pid`` is the program's own: `ip netns exec` becomes what it starts.

    Every line of stdout is kept until it is read, however late that is. Whatever is awaited, the end of the program ends the wait with a
    `ProcessError`, and so do ``timeout`` seconds.
    """

    def __init__(self, name: str, argv: Sequence[str], process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.pid = process.pid
        self.unread: list[Line] = []
        self.stderr_lines: list[str] = []
        self._process = process
        self._news = asyncio.Event()
        self._readers = set()
        if process.stdout:
            self._readers.add(asyncio.create_task(self._read(process.stdout, lambda text: self.unread.append(Line.parse(text)))))
        if process.stderr:
            self._readers.add(asyncio.create_task(self._read(process.stderr, self.stderr_lines.append)))

    async def _read(self, stream: asyncio.StreamReader, keep: Callable[[str], None]) -> None:
        async for line in stream:
            keep(line.decode(errors="replace").rstrip("\n"))
            self._news.set()
        self._news.set()

    @property
    def returncode(self) -> int | None:
        """The exit status (negative: the signal that ended it), or None as long as it is not known."""
        return self._process.returncode

    @property
    def is_running(self) -> bool:
        """Whether the program still runs."""
        return self.returncode is None and is_alive(self.pid)

    async def read_line(self, timeout: float = DEFAULT_TIMEOUT) -> str:
        """The oldest unread line of stdout, without its end."""
        return (await self._take(self._oldest, "a line", timeout)).text

    async def read_json_line(self, timeout: float = DEFAULT_TIMEOUT) -> Json:
        """The oldest unread line of stdout, which must be a JSON object."""
        return self._object(await self._take(self._oldest, "a line", timeout))

    async def wait_for(self, predicate: Callable[[Json], bool], timeout: float = DEFAULT_TIMEOUT) -> Json:
        """The oldest unread JSON line that fits ``predicate``, come or yet to come; those before it stay unread."""

        def pick() -> Json | None:
            for index, line in enumerate(self.unread):
                if predicate(found := self._object(line)):
                    del self.unread[index]
                    return found
            return None

        return await self._take(pick, "the awaited line", timeout)

    def _oldest(self) -> Line | None:
        return self.unread.pop(0) if self.unread else None

    def _object(self, line: Line) -> Json:
        if line.json is None:
            raise self._error(f"printed what is no JSON object: {line.text!r}")
        return line.json

    async def _take(self, pick: Callable[[], Taken | None], wanted: str, timeout: float) -> Taken:
        try:
            async with asyncio.timeout(timeout):
                while (found := pick()) is None:
                    if all(reader.done() for reader in self._readers):
                        status = await self._process.wait()
                        raise self._error(f"ended with status {status} before {wanted} came")
                    self._news.clear()
                    await self._news.wait()
                return found
        except TimeoutError:
            raise self._error(f"{wanted} did not come within {timeout:g} s") from None

    async def send_json(self, value: object) -> None:
        """Write one JSON line to the program's stdin."""
        await self.send_bytes(json.dumps(value).encode() + b"\n")

    async def send_bytes(self, octets: bytes) -> None:
        """Write to the program's stdin."""
        assert self._process.stdin, "stdin is not a pipe"
        try:
            self._process.stdin.write(octets)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._error("does not read its stdin any more") from error

    def close_stdin(self) -> None:
        """Let the program see the end of its stdin."""
        assert self._process.stdin, "stdin is not a pipe"
        self._process.stdin.close()

    def send_signal(self, signal: Signals) -> None:
        """Send a signal, for instance SIGSTOP to freeze the program and SIGCONT to thaw it. An ended program takes it without complaint."""
        if self.returncode is None:
            self._process.send_signal(signal)

    async def wait(self, timeout: float = DEFAULT_TIMEOUT) -> int:
        """Wait for the program's own end and return its exit status; all it printed can be read then."""
        try:
            async with asyncio.timeout(timeout):
                status = await self._process.wait()
                # Unlike gather, asyncio.wait leaves the readers alone when the timeout cancels it.
                if self._readers:
                    await asyncio.wait(self._readers)
                return status
        except TimeoutError:
            raise self._error(f"did not end, or a child of it holds its output, after {timeout:g} s") from None

    async def terminate(self, timeout: float = DEFAULT_TIMEOUT) -> int:
        """Ask the program to end (SIGTERM), wait for it and return its exit status."""
        self.send_signal(SIGTERM)
        return await self.wait(timeout)

    async def kill(self, timeout: float = DEFAULT_TIMEOUT) -> int:
        """End the program as a power cut would (SIGKILL), wait for it and return its exit status."""
        self.send_signal(SIGKILL)
        return await self.wait(timeout)

    def _error(self, problem: str) -> ProcessError:
        return ProcessError(f"{self} {problem}\n{self.transcript()}")

    def transcript(self) -> str:
        """What the program said lately and nobody read, and its stderr: for failure messages."""
        unread = "\n".join(line.text for line in self.unread[-_SHOWN_LINES:])
        stderr = "\n".join(self.stderr_lines[-_SHOWN_LINES:])
        return f"--- unread stdout\n{unread}\n--- stderr\n{stderr}"

    def __repr__(self) -> str:
        return f"{self.name}: {shlex.join(self.argv)[:200]} (pid {self.pid})"


class StartOptions(TypedDict, total=False):
    """How to start a program: ``env`` adds to this process's environment, and the streams are pipes unless given."""

    env: Mapping[str, str]
    cwd: str | os.PathLike[str]
    stdin: Stream
    stdout: Stream
    stderr: Stream


async def start(name: str, prefix: Sequence[str], argv: Sequence[str], **options: Unpack[StartOptions]) -> Process:
    """Start ``argv`` behind ``prefix``, in a session of its own: Ctrl-C ends the test, and then the test ends the program."""
    environment = {**os.environ, **options.get("env", {})}
    process = await asyncio.create_subprocess_exec(
        *prefix,
        *argv,
        env=environment,
        cwd=options.get("cwd"),
        stdin=options.get("stdin", PIPE),
        stdout=options.get("stdout", PIPE),
        stderr=options.get("stderr", PIPE),
        limit=_LINE_LIMIT,
        start_new_session=True,
    )
    return Process(name, argv, process)
