"""What belongs to one device at a time: over its control socket while it runs, else taken by this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hallway.runtime.control.client import connected

Ask = Callable[[dict[str, Any]], Awaitable[Any]]
"""Answers a command of the control socket."""
TRIES, PAUSE = 10, 0.2
"""How often, and seconds between: a device that starts or ends has what is its own for a moment without a control socket."""
T_co = TypeVar("T_co", covariant=True)


class Take(Protocol[T_co]):
    """Takes it, or returns None while another process has it; the ``last`` time it raises what is wrong."""

    async def __call__(self, *, last: bool) -> T_co | None:
        """See the class."""


@asynccontextmanager
async def running_or_taken(
    socket: Callable[[], tuple[Path, int] | None], take: Take[T_co]
) -> AsyncIterator[tuple[Ask, None] | tuple[None, T_co]]:
    """The answers of the running device, or what was taken instead, which the caller has to release.

    ``socket`` tells where the control socket is and whose, or None if there can be none.

    Raises:
        ControlUnavailable, NetworkError: the device cannot be reached.

    """
    async with AsyncExitStack() as stack:
        for left in reversed(range(TRIES)):
            at = socket()
            client = None if at is None else await stack.enter_async_context(connected(*at))
            if client is not None:
                yield client.ask, None
                return
            if (taken := await take(last=not left)) is not None:
                yield None, taken
                return
            await asyncio.sleep(PAUSE)
