"""The functions of the application that are called when something happens."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import pyee

from hallway.errors import MisuseError
from hallway.events import NAMES, ErrorHappened, Event, MessageReceived, PeerConnected, PeerDisconnected, PeerFound, PeerLost, Undelivered
from hallway.runtime.publishing.handling import Handling
from hallway.runtime.publishing.room import Room

logger = logging.getLogger(__name__)

TRIES = 3
"""How often a durable message is given to a listener that fails, before it is a dead letter."""


class Listeners:
    """Those of one device. What one of them raises, at once or later, is logged and disturbs nobody."""

    def __init__(self, room: Room) -> None:
        self.wanted: set[str] = set()
        """The names of the events that a listener wants; the emitter would raise at an "error" that nobody listens to."""
        self.held = 0
        """Bytes of what the coroutines of listeners have in hand."""
        self._room = room
        self._emitter = pyee.EventEmitter()
        self._running: set[asyncio.Future[None]] = set()
        self._size = 0
        self._handling: Handling | None = None

    def add(self, name: str, listener: Callable[..., Any]) -> None:
        """Call ``listener`` at every event of that name.

        Raises:
            MisuseError: there is no event of that name.

        """
        if name not in NAMES:
            raise MisuseError(f"there is no event {name!r}", hint=f"use one of {', '.join(NAMES)}")
        self.wanted.add(name)
        self._emitter.on(name, self._guarded(listener))

    def tell(self, event: Event, size: int, handling: Handling | None = None) -> None:
        """Call those who want this event, of ``size`` bytes; ``handling`` is told when they have dealt with it."""
        if handling is not None:
            handling.takers += 1
        # A listener may bring about another event, or the next message, before the others have had this one.
        outer = self._size, self._handling
        self._size, self._handling = size, handling
        try:
            self._emitter.emit(event.name, *_listener_arguments(event))
        finally:
            self._size, self._handling = outer

    async def aclose(self, deadline: float, *, but: Collection[asyncio.Task[Any]] = ()) -> None:
        """Wait until ``deadline`` for coroutines that still run, then cancel all ``but`` those that wait for this."""
        if running := [task for task in self._running if task not in but]:
            _, late = await asyncio.wait(running, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _guarded(self, listener: Callable[..., Any]) -> Callable[..., None]:
        """``listener`` as the emitter may call it: what it raises, at once or later, is logged and disturbs nobody.

        A durable message is given to one that fails `TRIES` times in all.
        """

        def call(*arguments: Any) -> None:
            handling = self._handling
            for left in reversed(range(1 if handling is None else TRIES)):
                try:
                    result = listener(*arguments)
                except (Exception, asyncio.CancelledError) as error:
                    # Nobody can cancel what does not wait: it is what became of something else.
                    logger.exception("a listener failed")
                    if not left and handling is not None:
                        handling.begin()
                        handling.end(f"the listener failed: {error!r}")
                else:
                    if inspect.isawaitable(result):
                        if handling is not None:
                            # At once: its coroutine begins only when all others have had the message.
                            handling.begin()
                        self._own(asyncio.ensure_future(_run(result, lambda: listener(*arguments), handling)), self._size)
                    return

        return call

    def _own(self, task: asyncio.Future[None], size: int) -> None:
        """Keep a listener's coroutine until it ends; what it holds counts as backlog."""

        def ended(task: asyncio.Future[None]) -> None:
            self._running.discard(task)
            self.held -= size
            self._room.ease()

        self._running.add(task)
        self.held += size
        if self.held > self._room.limit:
            self._room.fill()
        task.add_done_callback(ended)


def _listener_arguments(event: Event) -> tuple[Any, ...]:
    match event:
        case MessageReceived(peer_id, message):
            return (peer_id, message)
        case PeerFound(peer_id) | PeerLost(peer_id) | PeerConnected(peer_id) | PeerDisconnected(peer_id):
            return (peer_id,)
        case ErrorHappened() | Undelivered():
            return (event,)
        case _:
            return (getattr(event, "mode", None) or getattr(event, "peer_id", None),)


async def _run(work: Awaitable[Any], again: Callable[[], Awaitable[Any]], handling: Handling | None) -> None:
    """Wait for a listener's coroutine; for a durable message, which it has begun to handle, try again when it fails."""
    reason: str | None = "the device closed while a listener had it"
    try:
        for left in reversed(range(1 if handling is None else TRIES)):
            try:
                await work
            except Exception as error:
                logger.exception("a listener failed")
                reason = f"the listener failed: {error!r}"
                if left:
                    work = again()
            else:
                reason = None
                break
    except asyncio.CancelledError:
        # It stays in the inbox, and is handed out again after the next start.
        handling = None
        raise
    finally:
        if handling is not None:
            handling.end(reason)
