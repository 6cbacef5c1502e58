"""What the tests of every role use: devices of one site, and everything that was made, closed in the end."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from hallway.model import DeviceInfo
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway.testing.conformance.suite import Make

T = TypeVar("T")
R = TypeVar("R")

DEADLINE = 10.0
"""Seconds that a plugin gets for what it should do at once."""


def soon(seconds: float = DEADLINE) -> float:
    """A deadline: absolute, in seconds of the running loop's `time()`."""
    return asyncio.get_running_loop().time() + seconds


async def turns(count: int) -> None:
    """Let the loop turn ``count`` times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def cancelled(task: asyncio.Task[Any], after: int = 0) -> None:
    """Cancel ``task`` after some turns of the loop, and wait for its end."""
    await turns(after)
    task.cancel()
    await asyncio.wait([task])


async def until(condition: Callable[[], bool], what: str) -> None:
    """Let the loop run until ``condition`` holds; ``what`` is a clause for the failure."""
    for _ in range(int(DEADLINE / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"within {DEADLINE:g} s it did not happen that {what}")


def context(device: DeviceInfo, interfaces: InterfacePolicy | None = None) -> PluginContext:
    """What a factory gets beside its config."""
    return PluginContext(device, interfaces or InterfacePolicy(), Resolver())


class Bench(Generic[T]):
    """Makes what a test needs of one site, and closes it."""

    def __init__(self, make: Make[T]) -> None:
        self.property_id = f"house-{secrets.token_hex(6)}"
        self._make = make
        self._tasks: list[asyncio.Task[Any]] = []
        self._closing: list[Callable[[], Awaitable[None]]] = []

    def info(self, name: str = "device", *, property_id: str | None = None) -> DeviceInfo:
        """The facts of a new device; its id begins with ``name``."""
        return DeviceInfo(f"{name}-{secrets.token_hex(4)}", property_id or self.property_id, "tablet", secrets.token_hex(4))

    def make(self, device: DeviceInfo) -> T:
        """The plugin object of a device. It is for the caller to have it closed."""
        return self._make(device)

    def closes(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call ``close`` when the test has ended; everything is closed at once."""
        self._closing.append(close)

    def spawn(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """A task that ends with the test at the latest."""
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        outcomes = await asyncio.gather(*(close() for close in self._closing), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
