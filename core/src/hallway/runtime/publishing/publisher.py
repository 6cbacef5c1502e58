"""The one publisher of events: whoever listens gets them in the order in which they happened."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from hallway.events import Event, MessageReceived, PeerConnected, PeerDisconnected, PeerFound, PeerLost
from hallway.runtime.publishing.handling import Handling, Item
from hallway.runtime.publishing.listeners import Listeners
from hallway.runtime.publishing.room import Room
from hallway.runtime.publishing.subscriptions import Subscription, messages_only

EVENT_BYTES = 512
"""Bytes that any event takes in memory beside what it holds."""
MESSAGE = "message"


class Publisher:
    """Hands every event to the listeners, to the observers of plugins and to the subscriptions.

    Messages that nobody listens to yet are kept for the first listener.
    """

    def __init__(self, hook: Any, *, observes_messages: bool) -> None:
        self.room = Room(self._most_held)
        """For messages, at those who listen."""
        self._listeners = Listeners(self.room)
        self._hook = hook
        self._observes_messages = observes_messages
        self._subscriptions: list[Subscription] = []
        self._unread: deque[Item] = deque()
        self._unread_bytes = 0

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
        if event.name in self._listeners.wanted:
            self._listeners.tell(event, size, handling)
        elif is_message and not taken:
            self._keep(event, size, handling)
        if handling is not None:
            handling.end()

    def is_heard(self, name: str) -> bool:
        """Whether anybody might want an event of that name that no observer is told: making one for each message costs time."""
        return bool(self._subscriptions) or name in self._listeners.wanted

    def sent(self, peer_id: str, message_id: str, message: Any) -> None:
        """Tell the observers of a message that went out."""
        if self._observes_messages:
            self._hook.hallway_message_out(peer_id=peer_id, message_id=message_id, message=message)

    def subscribe(self, wants: Callable[[Event], bool]) -> Subscription:
        """Listen to the events that ``wants`` accepts, from now on and with the messages that nobody has read yet."""
        subscription = Subscription(self.room, wants, self._unsubscribed)
        self._subscriptions.append(subscription)
        self._hand_over(subscription.put, subscription.wants)
        return subscription

    def on(self, name: str, listener: Callable[..., Any]) -> None:
        """Call ``listener`` at every event of that name; the first for messages gets those that nobody has read yet.

        Raises:
            MisuseError: there is no event of that name.

        """
        self._listeners.add(name, listener)
        if name == MESSAGE:
            self._hand_over(self._listeners.tell, lambda _: True)

    async def aclose(self, deadline: float, *, but: Collection[asyncio.Task[Any]] = ()) -> None:
        """End the subscriptions; wait until ``deadline`` for listeners that still run, then cancel all ``but`` those that wait for this."""
        for subscription in self._subscriptions:
            subscription.end()
        await self._listeners.aclose(deadline, but=but)

    def _unsubscribed(self, subscription: Subscription, left: list[Item]) -> None:
        """Durable messages that it has ``left`` wait for another reader, if nobody else took them."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        for event, size, handling in left:
            if handling is not None:
                handling.takers -= 1
                if not handling.takers:
                    self._keep(event, size, handling)
                handling.end()
        self.room.ease()

    def _keep(self, event: Event, size: int, handling: Handling | None) -> None:
        """For the next who listens."""
        if handling is not None:
            handling.begin()
        self._unread.append((event, size, handling))
        self._unread_bytes += size
        if self._unread_bytes > self.room.limit:
            self.room.fill()

    def _most_held(self) -> int:
        slowest = max((each.backlog for each in self._subscriptions), default=0)
        return max(slowest, self._unread_bytes, self._listeners.held)

    def _hand_over(self, take: Callable[[Event, int, Handling | None], None], wants: Callable[[Event], bool]) -> None:
        while self._unread and wants(self._unread[0][0]):
            event, size, handling = self._unread.popleft()
            self._unread_bytes -= size
            take(event, size, handling)
            if handling is not None:
                handling.end()
        self.room.ease()

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
