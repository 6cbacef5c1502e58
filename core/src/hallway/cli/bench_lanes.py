"""The two lanes that a benchmark compares, each with both of its ends: a channel by itself, and a link of hallway.

At one end questions are asked and messages sent; at the other a `Tally` counts messages, and answers questions.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any

from hallway.cli.bench_cpu import Cpu
from hallway.cli.bench_messages import json_texts, messages
from hallway.errors import ChannelClosed
from hallway.interfaces import Channel
from hallway.peer import Peer
from hallway.runtime.delivery.receipts import Receipt

COUNT = "count"
"""The question how many messages have come since it was last asked; every other question comes back as it is."""
MAX_QUESTION = 64
ANSWER_SECONDS = 60.0
"""How long an answer may take: a slow network has much to carry before the question."""


class Tally:
    """What the answering end of one lane has got."""

    def __init__(self) -> None:
        self.count = 0
        self._cpu = Cpu.now()

    def answer(self, question: str) -> Any:
        """The answer to a question; to `COUNT`, the messages since it was last asked, and the seconds of CPU used and waited for."""
        if question != COUNT:
            return question[:MAX_QUESTION]
        cpu = Cpu.now()
        spent = cpu.since(self._cpu)
        count, self.count, self._cpu = self.count, 0, cpu
        return [count, spent.used, spent.waited]


class Lane(ABC):
    """The end of a lane that sends and asks."""

    name: str

    @abstractmethod
    def cargo(self, size: int) -> list[Any]:
        """What `send` takes: different messages of ``size`` bytes of JSON."""

    @abstractmethod
    async def send(self, item: Any) -> None:
        """Send one message, waiting for room."""

    async def ask(self, question: str) -> Any:
        """The answer of the other end.

        Raises:
            ChannelClosed: none came in time, or the channel ended.

        """
        return await self._in_time(self._ask(question))

    async def _in_time(self, answer: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError as error:
            raise ChannelClosed(
                f"the {self.name} carries nothing any more", hint="look at the network between the two, and try again"
            ) from error

    @abstractmethod
    async def _ask(self, question: str) -> Any:
        """As `ask`, for as long as it takes."""


class ChannelLane(Lane):
    """A channel by itself: JSON texts, each a message, which nobody reads."""

    name = "channel"

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def cargo(self, size: int) -> list[Any]:
        """See `Lane.cargo`."""
        return json_texts(size)

    async def send(self, item: Any) -> None:
        """See `Lane.send`."""
        await self._channel.send(item)

    async def _ask(self, question: str) -> Any:
        await self._channel.send(question)
        return json.loads(await self._channel.receive())


async def answer_channel(channel: Channel, tally: Tally) -> None:
    """Be the other end until the channel has ended."""
    try:
        while True:
            heard = await channel.receive()
            if isinstance(heard, str) and heard.startswith("{"):
                tally.count += 1
            else:
                await channel.send(json.dumps(tally.answer(str(heard))))
    except ChannelClosed:
        return


class LinkLane(Lane):
    """A link of hallway: values, as an application sends them."""

    name = "hallway"

    def __init__(self, peer: Peer, peer_id: str) -> None:
        self._peer, self._peer_id = peer, peer_id
        self._inbox = peer.messages()

    def cargo(self, size: int) -> list[Any]:
        """See `Lane.cargo`."""
        return messages(size)

    async def send(self, item: Any) -> None:
        """See `Lane.send`."""
        await self._peer.send_to_peer(self._peer_id, item, durable=False)

    async def store(self, item: Any) -> Receipt:
        """Send one durable message: it is in this device's store."""
        return await self._peer.send_to_peer(self._peer_id, item)

    async def ask_behind(self, question: str) -> Any:
        """As `ask`, behind the durable messages sent before: any other question may overtake them at the peer's inbox."""
        await self.store(question)
        return await self._in_time(self._answer())

    async def _ask(self, question: str) -> Any:
        await self.send(question)
        return await self._answer()

    async def _answer(self) -> Any:
        async for peer_id, answer in self._inbox:
            if peer_id.lower() == self._peer_id.lower():
                return answer
        raise ChannelClosed("this device was closed before the peer answered")
