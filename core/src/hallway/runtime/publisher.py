"""The one publisher of events: whoever listens gets them in the order in which they happened."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

import pyee

from hallway.errors import MisuseError
from hallway.events import NAMES, ErrorHappened, Event, MessageReceived, PeerConnected, PeerDisconnected, PeerFound, PeerLost, Undelivered

logger = logging.getLogger(__name__)

BACKLOG_BYTES = 16 * 1024 * 1024
"""Bytes of messages that wait for one reader; beyond that nothing more is read from the channels."""
EVENT_BYTES = 512
"""Bytes that any event takes in memory beside what it holds."""
MESSAGE = "message"
TRIES = 3
"""How often a durable message is given to a listener that fails, before it is a dead letter."""


class Handling:
    """Whether all who took a message have dealt with it: the publisher, who has it first, and everybody to whom it was handed."""

    __slots__ = ("_open", "_reason", "takers")

    def __init__(self) -> None:
        self._open = 1
        self._reason: str | None = None
        self.takers = 0
        """The readers and listeners that have it, or had it and dealt with it."""

    def dealt_with(self, reason: str | None) -> None:
        """All have dealt with it; ``reason`` says why one of them could not. Called once."""
        raise NotImplementedError

    def begin(self) -> None:
        """Somebody takes it."""
        self._open += 1

    def end(self, reason: str | None = None) -> None:
        """One of them has dealt with it, or could not."""
        self._reason = self._reason or reason
        self._open -= 1
        if self._open == 0:
            self.dealt_with(self._reason)


Item = tuple[Event, int, Handling | None]
"""An event that waits for a reader, its size in bytes, and who is to be told of the reader's dealing with it."""


def messages_only(event: Event) -> bool:
    """What a reader of messages wants."""
    return isinstance(event, MessageReceived)


class Subscription:
    """A reader's own queue of events; it ends when the publisher closes."""

    def __init__(self, publisher: Publisher, wants: Callable[[Event], bool]) -> None:
        self.wants = wants
        self.backlog = 0
        self._publisher = publisher
        self._queue: deque[Item] = deque()
        self._in_hand: Item | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._ended = False

    def put(self, event: Event, size: int, handling: Handling | None = None) -> None:
        """Queue an event of ``size`` bytes."""
        if handling is not None:
            handling.begin()
            handling.takers += 1
        self._queue.append((event, size, handling))
        self.backlog += size
        if self._waiters:
            self._wake()
        if self.backlog > BACKLOG_BYTES:
            self._publisher.is_full()

    def end(self) -> None:
        """There will be no more events; those queued are still handed out."""
        self._ended = True
        if self._waiters:
            self._wake()

    def close(self) -> None:
        """Stop listening; a reader that waits comes to the end. What it has not dealt with waits for another. Closing twice is silent."""
        left = [*([self._in_hand] if self._in_hand else []), *self._queue]
        self._queue.clear()
        self._in_hand = None
        self.backlog = 0
        self.end()
        self._publisher.unsubscribe(self, left)

    def put_down(self) -> None:
        """The reader has dealt with the message that it got last."""
        if self._in_hand is not None:
            (_, _, handling), self._in_hand = self._in_hand, None
            if handling is not None:
                handling.end()

    def next(self) -> Event | None:
        """Take the next event, if there is one; then the reader has dealt with the one before. Who begins to wait has `put_down` that.

        Raises:
            StopAsyncIteration: there will be none.

        """
        if not self._queue:
            if self._ended:
                raise StopAsyncIteration
            return None
        self.put_down()
        event, size, _ = self._in_hand = self._queue.popleft()
        self.backlog -= size
        self._publisher.made_room()
        return event

    async def arrival(self) -> None:
        """Wait until there may be an event, or there will be none. Any number of tasks may wait."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Publisher:
    """Hands every event to the emitter's listeners, to the observers of plugins and to the subscriptions.

    Messages that nobody listens to yet are kept for the first listener.
    """

    def __init__(self, hook: Any, *, observes_messages: bool) -> None:
        self._emitter = pyee.EventEmitter()
        self._heard: set[str] = set()
        """The names of the events that a listener wants; the emitter would raise at an "error" that nobody listens to."""
        self._listening: set[asyncio.Future[None]] = set()
        self._hook = hook
        self._observes_messages = observes_messages
        self._subscriptions: list[Subscription] = []
        self._unread: deque[Item] = deque()
        self._unread_bytes = 0
        self._heard_bytes = 0
        self._size = 0
        self._handling: Handling | None = None
        self._room = asyncio.Event()
        self._room.set()
        self.crowded = False
        """Whether `room` would wait."""

    def publish(self, event: Event, size: int = 0, handling: Handling | None = None) -> None:
        """Tell everybody.

        ``size``: bytes that the event holds while it waits for a reader. ``handling`` is told when all have dealt with it.
        """
        is_message = isinstance(event, MessageReceived)
        if not is_message or self._observes_messages:
            self._observe(event)
        size += EVENT_BYTES
        taken = False
        for subscription in self._subscriptions:
            # Most readers want messages only: to ask them is a call for each.
            if (is_message and subscription.wants is messages_only) or subscription.wants(event):
                subscription.put(event, size, handling)
                taken = True
        if event.name in self._heard:
            self._emit(event, size, handling)
        elif is_message and not taken:
            self._keep(event, size, handling)
        if handling is not None:
            handling.end()

    def is_heard(self, name: str) -> bool:
        """Whether anybody might want an event of that name that no observer is told: making one for each message costs time."""
        return bool(self._subscriptions) or name in self._heard

    def sent(self, peer_id: str, message_id: str, message: Any) -> None:
        """Tell the observers of a message that went out."""
        if self._observes_messages:
            self._hook.hallway_message_out(peer_id=peer_id, message_id=message_id, message=message)

    async def room(self) -> None:
        """Wait until no reader has more than `BACKLOG_BYTES` of messages before it."""
        await self._room.wait()

    def subscribe(self, wants: Callable[[Event], bool]) -> Subscription:
        """Listen to the events that ``wants`` accepts, from now on and with the messages that nobody has read yet."""
        subscription = Subscription(self, wants if wants is messages_only else _safe(wants))
        self._subscriptions.append(subscription)
        self._hand_over(subscription.put, subscription.wants)
        return subscription

    def unsubscribe(self, subscription: Subscription, left: Iterable[Item] = ()) -> None:
        """Forget a subscription. Durable messages that it has ``left`` wait for another reader, if nobody else took them."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        for event, size, handling in left:
            if handling is not None:
                handling.takers -= 1
                if not handling.takers:
                    self._keep(event, size, handling)
                handling.end()
        self.made_room()

    def _keep(self, event: Event, size: int, handling: Handling | None) -> None:
        """For the next who listens."""
        if handling is not None:
            handling.begin()
        self._unread.append((event, size, handling))
        self._unread_bytes += size
        if self._unread_bytes > BACKLOG_BYTES:
            self.is_full()

    def on(self, name: str, listener: Callable[..., Any]) -> None:
        """Call ``listener`` at every event of that name; the first for messages gets those that nobody has read yet.

        Raises:
            MisuseError: there is no event of that name.

        """
        if name not in NAMES:
            raise MisuseError(f"there is no event {name!r}", hint=f"use one of {', '.join(NAMES)}")
        self._heard.add(name)
        self._emitter.on(name, self._guarded(listener))
        if name == MESSAGE:
            self._hand_over(self._emit, lambda _: True)

    def is_full(self) -> None:
        """A reader has more than `BACKLOG_BYTES` before it."""
        self.crowded = True
        self._room.clear()

    def made_room(self) -> None:
        """A reader has taken something."""
        if self.crowded and not self._is_too_much():
            self.crowded = False
            self._room.set()

    async def aclose(self, deadline: float, *, but: Collection[asyncio.Task[Any]] = ()) -> None:
        """End the subscriptions; wait until ``deadline`` for listeners that still run, then cancel all ``but`` those that wait for this."""
        for subscription in self._subscriptions:
            subscription.end()
        if running := [task for task in self._listening if task not in but]:
            _, late = await asyncio.wait(running, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _is_too_much(self) -> bool:
        slowest = max((each.backlog for each in self._subscriptions), default=0)
        return max(slowest, self._unread_bytes, self._heard_bytes) > BACKLOG_BYTES

    def _hand_over(self, take: Callable[[Event, int, Handling | None], None], wants: Callable[[Event], bool]) -> None:
        while self._unread and wants(self._unread[0][0]):
            event, size, handling = self._unread.popleft()
            self._unread_bytes -= size
            take(event, size, handling)
            if handling is not None:
                handling.end()
        self.made_room()

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
            self._listening.discard(task)
            self._heard_bytes -= size
            self.made_room()

        self._listening.add(task)
        self._heard_bytes += size
        if self._heard_bytes > BACKLOG_BYTES:
            self.is_full()
        task.add_done_callback(ended)

    def _emit(self, event: Event, size: int, handling: Handling | None = None) -> None:
        if handling is not None:
            handling.takers += 1
        # A listener may bring about another event, or the next message, before the others have had this one.
        outer = self._size, self._handling
        self._size, self._handling = size, handling
        try:
            self._emitter.emit(event.name, *_listener_arguments(event))
        finally:
            self._size, self._handling = outer

    def _observe(self, event: Event) -> None:
        match event:
            case PeerFound(peer_id, plugin):
                self._hook.hallway_peer_found(peer_id=peer_id, plugin=plugin)
            case PeerLost(peer_id, plugin):
                self._hook.hallway_peer_lost(peer_id=peer_id, plugin=plugin)
            case PeerConnected(peer_id, signaling, channel, ms):
                details = {"signaling": signaling, "channel": channel, "ms": ms}
                self._hook.hallway_link_changed(peer_id=peer_id, state="open", details=details)
            case PeerDisconnected(peer_id, reason):
                self._hook.hallway_link_changed(peer_id=peer_id, state="lost", details={"reason": reason})
            case MessageReceived(peer_id, message, message_id):
                self._hook.hallway_message_in(peer_id=peer_id, message_id=message_id, message=message)


def _safe(wants: Callable[[Event], bool]) -> Callable[[Event], bool]:
    """``wants`` for events of all kinds: it does not want those at which it raises, and that is logged."""

    def asked(event: Event) -> bool:
        try:
            return wants(event)
        except (Exception, asyncio.CancelledError):
            logger.exception("a reader cannot say whether it wants %s", event.name)
            return False

    return asked


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
