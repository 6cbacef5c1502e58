"""A device in a process of its own, spoken to in JSON lines."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

STOP_SECONDS = 3.0
LINE_LIMIT = 1024 * 1024


class Child:
    """``hallway up --json`` as a child process. Made by `start`; `stop` must be called."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    @classmethod
    async def start(cls, name: str, settings: Sequence[str], log_level: str = "warning") -> Self:
        """Start a device with these ``key=value`` settings and no configuration file.

        It is in a process group of its own, so that Ctrl-C reaches only the parent, which then calls `stop`.
        """
        options = [part for setting in settings for part in ("--set", setting)]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "hallway.cli", "up", "--json", "--log-level", log_level, *options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            process_group=0,
        )
        return cls(name, process)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Everything the device prints, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield json.loads(line)

    async def command(self, **command: Any) -> None:
        """Send one command; its result comes among the events."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    async def stop(self) -> int:
        """Ask the device to end, insist if it does not, and return its exit status."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()
