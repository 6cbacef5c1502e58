"""What two linked devices must do, whatever runs them: all messages both ways, in order, then a clean goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import attrs

MESSAGES = 100
"""Sent by each device to the other."""

Events = AsyncIterator[dict[str, Any]]
"""What a device tells, in the form of ``hallway up --json``."""
Send = Callable[[int], Awaitable[Any]]


class Failed(Exception):
    """A device did not do what it must."""


@attrs.frozen
class Link:
    """How a device was linked."""

    signaling: str
    channel: str
    ms: float


async def exchange(events: Events, send: Send) -> Link:
    """Wait for the link, send every message and hear all of the peer's in order."""
    link = await _linked(events)
    async with asyncio.TaskGroup() as group:
        group.create_task(_send_all(send))
        heard = [await _message(events) for _ in range(MESSAGES)]
    if heard != list(range(MESSAGES)):
        raise Failed(f"messages out of order: {heard}")
    return link


async def goodbye(events: Events) -> None:
    """Wait until the peer says bye; nothing else may come from it before."""
    async for event in events:
        match event:
            case {"event": "peer-disconnected", "reason": "bye"}:
                return
            case {"event": "message" | "peer-disconnected" | "error"}:
                raise Failed(f"instead of bye: {event}")
    raise Failed("ended before the peer said bye")


async def ended(events: Events) -> None:
    """Wait until the device has nothing more to tell, which is when its process ends."""
    async for event in events:
        if event["event"] in {"message", "error"}:
            raise Failed(f"while closing: {event}")


async def _linked(events: Events) -> Link:
    async for event in events:
        match event:
            case {"event": "peer-connected", "signaling": signaling, "channel": channel, "ms": ms}:
                return Link(signaling, channel, ms)
            case {"event": "error", "code": "attempt-failed"}:
                pass  # the other device was not there yet
            case {"event": "error"}:
                raise Failed(str(event))
    raise Failed("ended before it was linked")


async def _send_all(send: Send) -> None:
    for number in range(MESSAGES):
        await send(number)


async def _message(events: Events) -> int:
    async for event in events:
        match event:
            case {"event": "message", "message": int(number)}:
                return number
            case {"event": "peer-disconnected" | "error"} | {"event": "result", "ok": False}:
                raise Failed(str(event))
    raise Failed("ended while messages were missing")
