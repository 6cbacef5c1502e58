"""What an application reads: messages, or all events, until it has had enough."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from hallway.events import Event, MessageReceived
from hallway.runtime.publishing.subscriptions import Subscription


class Reader:
    """What reads a subscription. Close it, or let go of it, and it holds nothing up any more.

    ``async with`` closes it, and says by its end whether the last message was dealt with: yes, if no exception has left its body.
    """

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.done()
        self.close()

    def done(self) -> None:
        """The last message is dealt with, as asking for the next one would say. Silent if there is none."""
        self._subscription.put_down()

    def close(self) -> None:
        """Stop reading; whoever waits comes to the end. Closing twice is silent.

        Durable messages that nobody has dealt with wait for another reader: the last one that this got is among them, unless it is `done`.
        """
        self._subscription.close()

    async def aclose(self) -> None:
        """Stop reading, as `close` does."""
        self.close()

    def __del__(self) -> None:
        self._subscription.close()


class EventReader(Reader):
    """What happens from its making on, as `hallway.events` values: an asynchronous iterator."""

    async def __anext__(self) -> Event:
        self._subscription.put_down()
        while (event := self._subscription.next()) is None:
            await self._subscription.arrival()
        return event


class MessageReader(Reader):
    """What arrives from its making on, as pairs of peer id and message: an asynchronous iterator."""

    async def __anext__(self) -> tuple[str, Any]:
        self._subscription.put_down()
        while True:
            event = self._subscription.next()
            if event is None:
                await self._subscription.arrival()
            elif isinstance(event, MessageReceived):
                return event.peer_id, event.message
