"""A device or a signal server in a process of its own: it tells in JSON lines and is spoken to in them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Self

STOP_SECONDS = 10.0
"""It closes within 2 s by itself, on a machine that is not starved."""
LINE_LIMIT = 1024 * 1024


class Child:
    """A command of hallway as a child process. Made by `start` or `serve`; `stop` must be called."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    @classmethod
    async def start(cls, name: str, settings: Sequence[str], log_level: str = "warning") -> Self:
        """Start a device (``hallway up --json``) with these ``key=value`` settings and no configuration file."""
        options = [part for setting in settings for part in ("--set", setting)]
        return await cls._run(name, "up", "--json", "--log-level", log_level, *options)

    @classmethod
    async def serve(cls, port: int, log_level: str = "warning") -> Self:
        """Start a signal server (``hallway signal-server --json``) at ``port`` of 127.0.0.1."""
        return await cls._run("signal-server", "signal-server", "--json", "--log-level", log_level, "--port", str(port))

    @classmethod
    async def _run(cls, name: str, *command: str) -> Self:
        """Run ``command`` in a process group of its own, so that Ctrl-C reaches only the parent, which then calls `stop`."""
        creating = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "hallway.cli", *command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_LIMIT,
                process_group=0,
            )
        )
        try:
            return cls(name, await asyncio.shield(creating))
        except asyncio.CancelledError:
            # The process runs before its creation is done: nobody else could end it.
            await asyncio.wait([creating])
            await cls(name, creating.result()).stop()
            raise

    async def events(self) -> AsyncGenerator[dict[str, Any], None]:
        """Everything it prints, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield json.loads(line)

    async def command(self, **command: Any) -> None:
        """Send one command; its result comes among the events."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    async def stop(self) -> int:
        """Ask it to end, insist if it does not, and return its exit status."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()
