"""Channels in memory: two ends that hand their messages to each other."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque

import attrs

from hallway.errors import BadDescription, BusyError, ChannelClosed, ClosedError, DeadlineExceeded, MessageTooLarge
from hallway.interfaces import Channel, Connector, Dialing
from hallway.model import Binding, Candidate, Description, IcePolicy
from hallway.testing.memory.hub import Hub

KIND = "memory"
MAX_MESSAGE = 256 * 1024
HIGH_WATER = 1024 * 1024
"""Bytes that wait at the other end before `send` waits."""


class MemoryChannel(Channel):
    """One end of a pair; `join` makes two ends a channel."""

    kind = KIND

    def __init__(self) -> None:
        self.max_message = MAX_MESSAGE
        self._other: MemoryChannel | None = None
        self._inbox: deque[str | bytes] = deque()
        self._waiting_bytes = 0
        self._taken_bytes = 0
        self._changed = asyncio.Event()
        """Set at every change of this end: its reader waits for it, and the sender at the other end."""
        self._turn = asyncio.Lock()
        self._in_line = 0
        """Senders that wait, or have the turn."""
        self._open = asyncio.Event()
        self._reading = False
        self._closed = False
        self._ended = False

    def join(self, other: MemoryChannel) -> None:
        """Become the two ends of one open channel."""
        self._other, other._other = other, self
        self._ended = other._closed
        self._open.set()
        other._open.set()

    async def opened(self, deadline: float) -> None:
        """See `Channel.opened`."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._open.wait()
        except TimeoutError as error:
            raise DeadlineExceeded("the other end did not come in time") from error
        if self._closed:
            raise ClosedError("the channel was closed")
        if self._ended and not self._inbox:
            raise ChannelClosed("the channel ended before it opened")

    async def send(self, message: str | bytes) -> None:
        """See `Channel.send`."""
        sent = self.send_now(message)
        if sent and self._has_room():
            return
        self._in_line += 1
        try:
            async with self._turn:
                if not sent:
                    await self._room()
                    self._hand_over(message)
                await self._room()
        finally:
            self._in_line -= 1

    def send_now(self, message: str | bytes) -> bool:
        """See `Channel.send_now`."""
        size = _size(message)
        if size > self.max_message:
            raise MessageTooLarge(f"{size} bytes are more than {self.max_message}")
        self._check_alive()
        if self._in_line or self._other is None or not self._has_room():
            return False
        self._hand_over(message)
        return True

    def _hand_over(self, message: str | bytes) -> None:
        self._check_alive()
        if self._other is None:
            raise ChannelClosed("the channel is not open")
        self._other.take(message, _size(message))

    def take(self, message: str | bytes, size: int) -> None:
        """Put a message that the other end sends into the inbox."""
        self._inbox.append(message)
        self._waiting_bytes += size
        self._taken_bytes += size
        self._changed.set()

    async def receive(self) -> str | bytes:
        """See `Channel.receive`."""
        if self._reading:
            raise BusyError("another task is receiving")
        self._reading = True
        try:
            while not (self._inbox or self._ended or self._closed):
                await self._change()
            if self._closed:
                raise ClosedError("the channel was closed")
            if not self._inbox:
                raise ChannelClosed("the peer has closed the channel")
            message = self._inbox.popleft()
            self._waiting_bytes -= _size(message)
            self._changed.set()
            return message
        finally:
            self._reading = False

    async def add_candidate(self, candidate: Candidate) -> None:
        """See `Channel.add_candidate`: there are none in memory."""

    @property
    def buffered(self) -> int:
        """See `Channel.buffered`."""
        return self._other._waiting_bytes if self._other is not None else 0

    @property
    def acknowledged_bytes(self) -> int | None:
        """See `Channel.acknowledged_bytes`: what the other end has taken into its inbox."""
        return self._other._taken_bytes if self._other is not None else 0

    @property
    def binding(self) -> Binding | None:
        """See `Channel.binding`: there is nothing to verify in memory."""
        return None

    async def aclose(self, deadline: float | None = None) -> None:
        """See `Channel.aclose`."""
        if self._closed:
            return
        self._closed = True
        self._open.set()
        self._changed.set()
        if self._other is not None:
            self._other.end()

    def end(self) -> None:
        """The other end has gone."""
        self._ended = True
        self._open.set()
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _room(self) -> None:
        while self._other is not None and not self._has_room():
            await self._other._change()

    def _has_room(self) -> bool:
        other = self._other
        return other is None or other._waiting_bytes <= HIGH_WATER or other._closed or self._closed

    def _check_alive(self) -> None:
        if self._closed:
            raise ClosedError("the channel was closed")
        if self._ended:
            raise ChannelClosed("the channel is not open")


def _size(message: str | bytes) -> int:
    return len(message.encode() if isinstance(message, str) else message)


@attrs.define(eq=False)
class MemoryDialing(Dialing):
    """An offer that names a channel waiting at the hub."""

    hub: Hub
    offer: Description
    channel: MemoryChannel | None

    async def accept(self, answer: Description) -> Channel:
        """See `Dialing.accept`."""
        usable = answer.kind == KIND and answer.type == "answer" and self.channel is not None
        other = self.hub.waiting.pop(answer.sdp, None) if usable else None
        if other is None or self.channel is None:
            raise BadDescription("the answer names no channel that waits")
        channel, self.channel = self.channel, None
        channel.join(other)
        return channel

    async def aclose(self) -> None:
        """See `Dialing.aclose`."""
        if self.channel is not None:
            channel, self.channel = self.channel, None
            await channel.aclose()


@attrs.define(eq=False)
class MemoryConnector(Connector):
    """Makes channels between the devices of one hub."""

    hub: Hub

    async def prepare(self) -> None:
        """See `Connector.prepare`: nothing takes time here."""

    async def dial(self, policy: IcePolicy) -> Dialing:
        """See `Connector.dial`."""
        return MemoryDialing(self.hub, Description(KIND, "offer", secrets.token_hex(8)), MemoryChannel())

    async def answer(self, offer: Description, policy: IcePolicy) -> tuple[Description, Channel]:
        """See `Connector.answer`."""
        if offer.kind != KIND or offer.type != "offer" or not offer.sdp.isalnum():
            raise BadDescription("the offer is not of the memory kind")
        token, channel = secrets.token_hex(8), MemoryChannel()
        self.hub.waiting[token] = channel
        return Description(KIND, "answer", token), channel

    async def aclose(self) -> None:
        """See `Connector.aclose`."""
