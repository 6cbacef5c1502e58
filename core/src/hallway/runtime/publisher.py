"""The one publisher of events: whoever listens gets them in the order in which they happened."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

import pyee

from hallway.events import ErrorHappened, Event, MessageReceived, PeerConnected, PeerDisconnected, PeerFound, PeerLost

logger = logging.getLogger(__name__)

BACKLOG_BYTES = 16 * 1024 * 1024
"""Bytes of messages that wait for one reader; beyond that nothing more is read from the channels."""
LISTENER_SECONDS = 1.0
"""How long the end waits for listeners that still run before it cancels them."""
MESSAGE = "message"


class Subscription:
    """A reader's own queue of events: an asynchronous iterator that ends when the publisher closes."""

    def __init__(self, publisher: Publisher, wants: Callable[[Event], bool]) -> None:
        self.wants = wants
        self.backlog = 0
        self._publisher = publisher
        self._queue: deque[tuple[Event, int]] = deque()
        self._changed = asyncio.Event()
        self._ended = False

    def put(self, event: Event, size: int) -> None:
        """Queue an event of ``size`` bytes."""
        self._queue.append((event, size))
        self.backlog += size
        self._changed.set()

    def end(self) -> None:
        """There will be no more events; those queued are still handed out."""
        self._ended = True
        self._changed.set()

    def close(self) -> None:
        """Stop listening and forget what is queued; a reader that waits comes to the end. Closing twice is silent."""
        self._queue.clear()
        self.backlog = 0
        self.end()
        self._publisher.unsubscribe(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        event, size = self._queue.popleft()
        self.backlog -= size
        self._publisher.made_room()
        return event


class Publisher:
    """Hands every event to the emitter's listeners, to the observers of plugins and to the subscriptions.

    Messages that nobody listens to yet are kept for the first listener.
    """

    def __init__(self, hook: Any, *, observes_messages: bool) -> None:
        self.emitter = pyee.EventEmitter()
        self._listening: set[asyncio.Future[None]] = set()
        self._hook = hook
        self._observes_messages = observes_messages
        self._subscriptions: list[Subscription] = []
        self._unread: deque[tuple[MessageReceived, int]] = deque()
        self._unread_bytes = 0
        self._room = asyncio.Event()
        self._room.set()

    def publish(self, event: Event, size: int = 0) -> None:
        """Tell everybody. ``size``: bytes that the event holds while it waits for a reader."""
        self._observe(event)
        taken = False
        for subscription in self._subscriptions:
            if subscription.wants(event):
                subscription.put(event, size)
                taken = True
        if isinstance(event, MessageReceived) and not taken and not self.emitter.listeners(MESSAGE):
            self._unread.append((event, size))
            self._unread_bytes += size
        else:
            self._emit(event)
        if self._crowded():
            self._room.clear()

    def sent(self, peer_id: str, message_id: str, message: Any) -> None:
        """Tell the observers of a message that went out."""
        if self._observes_messages:
            self._hook.hallway_message_out(peer_id=peer_id, message_id=message_id, message=message)

    async def room(self) -> None:
        """Wait until no reader has more than `BACKLOG_BYTES` of messages before it."""
        await self._room.wait()

    @property
    def crowded(self) -> bool:
        """Whether `room` would wait."""
        return not self._room.is_set()

    def subscribe(self, wants: Callable[[Event], bool]) -> Subscription:
        """Listen to the events that ``wants`` accepts, from now on and with the messages that nobody has read yet."""
        subscription = Subscription(self, wants)
        self._subscriptions.append(subscription)
        self._hand_over(subscription.put, wants)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        self.made_room()

    def on(self, name: str, listener: Callable[..., Any]) -> None:
        """Call ``listener`` at every event of that name; the first for messages gets those that nobody has read yet."""
        self.emitter.on(name, self._guarded(listener))
        if name == MESSAGE:
            self._hand_over(lambda event, _: self._emit(event), lambda _: True)

    def made_room(self) -> None:
        """A reader has taken something."""
        if not self._crowded():
            self._room.set()

    async def aclose(self) -> None:
        """End the subscriptions; wait for listeners that still run, then cancel them. The one that calls this is left to itself."""
        for subscription in self._subscriptions:
            subscription.end()
        current = asyncio.current_task()
        if running := [task for task in self._listening if task is not current]:
            _, late = await asyncio.wait(running, timeout=LISTENER_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _crowded(self) -> bool:
        return max((each.backlog for each in self._subscriptions), default=0) > BACKLOG_BYTES or self._unread_bytes > BACKLOG_BYTES

    def _hand_over(self, take: Callable[[Event, int], None], wants: Callable[[Event], bool]) -> None:
        while self._unread and wants(self._unread[0][0]):
            event, size = self._unread.popleft()
            self._unread_bytes -= size
            take(event, size)
        self.made_room()

    def _guarded(self, listener: Callable[..., Any]) -> Callable[..., None]:
        """``listener`` as the emitter may call it: what it raises, at once or later, is logged and disturbs nobody."""

        def call(*arguments: Any) -> None:
            try:
                result = listener(*arguments)
            except Exception:
                logger.exception("a listener failed")
                return
            if inspect.isawaitable(result):
                task = asyncio.ensure_future(_logged(result))
                self._listening.add(task)
                task.add_done_callback(self._listening.discard)

        return call

    def _emit(self, event: Event) -> None:
        # The emitter raises at an "error" that nobody listens to.
        if self.emitter.listeners(event.name):
            self.emitter.emit(event.name, *_listener_arguments(event))

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
            case MessageReceived(peer_id, message, message_id) if self._observes_messages:
                self._hook.hallway_message_in(peer_id=peer_id, message_id=message_id, message=message)


def _listener_arguments(event: Event) -> tuple[Any, ...]:
    match event:
        case MessageReceived(peer_id, message):
            return (peer_id, message)
        case PeerFound(peer_id) | PeerLost(peer_id) | PeerConnected(peer_id) | PeerDisconnected(peer_id):
            return (peer_id,)
        case ErrorHappened():
            return (event,)
        case _:
            return (getattr(event, "mode", None) or getattr(event, "peer_id", None),)


async def _logged(work: Awaitable[Any]) -> None:
    try:
        await work
    except Exception:
        logger.exception("a listener failed")


async def messages(subscription: Subscription) -> AsyncIterator[tuple[str, Any]]:
    """The messages of a subscription as pairs of peer id and message. It is closed once nobody reads it any more."""
    try:
        async for event in subscription:
            if isinstance(event, MessageReceived):
                yield event.peer_id, event.message
    finally:
        subscription.close()
