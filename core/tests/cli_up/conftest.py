"""``hallway up --json`` as a real process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

PATIENCE = 30.0
"""Seconds for what takes well under one; only a failure takes longer."""
SETTINGS = {
    "security": "open",
    "device.id": "tablet-1",
    "device.property": "property-123",
    "discovery.chain": '["memory"]',
    "signaling.chain": '["memory"]',
    "channel.chain": '["memory"]',
}


class Up:
    """One running device and its lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def write(self, *lines: Any) -> None:
        """Write commands, or bytes as they are, each a line."""
        assert self.process.stdin is not None
        for line in lines:
            self.process.stdin.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
        await self.process.stdin.drain()

    async def read(self) -> dict[str, Any]:
        """The next line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self.process.stdout.readline()
        assert line.endswith(b"\n"), line
        value = json.loads(line)
        assert isinstance(value, dict)
        return value

    async def ask(self, *lines: Any) -> list[dict[str, Any]]:
        """Write commands and return as many lines."""
        await self.write(*lines)
        return [await self.read() for _ in lines]

    async def first(self, name: str) -> dict[str, Any]:
        """The next event of that name; those before it are skipped."""
        while (event := await self.read())["event"] != name:
            pass
        return event

    async def ready(self) -> dict[str, Any]:
        """The first line."""
        event = await self.read()
        assert event["event"] == "ready"
        return event

    async def ended(self) -> int:
        """The exit status, once it has ended by itself."""
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    async def rest(self) -> tuple[str, str]:
        """What is left of both outputs, once it has ended."""
        async with asyncio.timeout(PATIENCE):
            out, err = await self.process.communicate()
        return out.decode(), err.decode()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def reap(self) -> None:
        """End it whatever it does, and close its pipes."""
        if self.process.returncode is None:
            self.process.kill()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await self.process.communicate()


@pytest.fixture
async def up() -> AsyncIterator[Any]:
    """Start a device: ``await up({"key": "value"}, stdin=…, as_json=False)``."""
    started: list[Up] = []

    async def start(settings: dict[str, str] | None = None, *, as_json: bool = True, prefix: tuple[str, ...] = (), **streams: Any) -> Up:
        options = [part for key, value in (SETTINGS | (settings or {})).items() for part in ("--set", f"{key}={value}")]
        command = [*prefix, sys.executable, "-m", "hallway.cli", "up", *(["--json"] if as_json else []), *options]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HALLWAY_")}
        environment |= {"HALLWAY_LOG": "error"} | streams.pop("env", {})
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE) | streams
        started.append(Up(await asyncio.create_subprocess_exec(*command, env=environment, limit=2**21, **pipes)))
        return started[-1]

    yield start
    for each in started:
        await each.reap()
