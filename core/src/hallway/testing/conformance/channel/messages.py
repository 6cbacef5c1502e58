"""Order, loss, kinds and sizes of messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from hallway.errors import ChannelClosed, MessageTooLarge, RemoteViolation
from hallway.interfaces import Channel
from hallway.testing.conformance.bench import soon, turns, until
from hallway.testing.conformance.channel.bench import ChannelBase, ChannelBench, Ends

MEGABYTE = 1024 * 1024
KINDS: list[str | bytes] = [
    "text",
    b"bytes",
    "",
    b"",
    "1",
    b"1",
    "grüße \N{GRINNING FACE}",
    "\0",
    b"\0\xff\xfe",
    "\ufeff",
    " \r\n\t",
    bytes(range(256)),
]


async def _send_all(channel: Channel, messages: Sequence[str | bytes]) -> None:
    for message in messages:
        await channel.send(message)


class Messages(ChannelBase):
    """What is sent arrives: once, in order, unchanged."""

    async def test_messages_arrive_once_and_in_order(self, ends: Ends) -> None:
        """Messages arrive once, in the order of the calls to `send`."""
        sent = [str(number) for number in range(300)]
        for message in sent:
            await ends.near.send(message)
        assert [await ends.far.receive() for _ in sent] == sent

    async def test_text_and_bytes_are_kept_apart_and_unchanged(self, ends: Ends) -> None:
        """A `str` arrives as that `str` and `bytes` as those `bytes`, empty ones too, either way."""
        for sender, receiver in ((ends.near, ends.far), (ends.far, ends.near)):
            for message in KINDS:
                await sender.send(message)
            received = [await receiver.receive() for _ in KINDS]
            assert [(type(message), message) for message in received] == [(type(message), message) for message in KINDS]

    async def test_a_megabyte_each_way_at_once_arrives_whole(self, ends: Ends) -> None:
        """Both directions carry much at once, and lose and mix nothing."""
        size = len(ends.chunk(0))
        there = [ends.chunk(number) for number in range(MEGABYTE // size)]
        back = [ends.chunk(number + 1_000_000) for number in range(MEGABYTE // size)]
        async with asyncio.TaskGroup() as group:
            group.create_task(_send_all(ends.near, there))
            group.create_task(_send_all(ends.far, back))
            far = group.create_task(self._take(ends.far, len(there)))
            near = group.create_task(self._take(ends.near, len(back)))
        assert far.result() == there
        assert near.result() == back

    async def _take(self, channel: Channel, count: int) -> list[str | bytes]:
        return [await channel.receive() for _ in range(count)]

    async def test_a_message_of_the_largest_size_passes(self, ends: Ends) -> None:
        """`max_message` is what the plugin says, counts bytes (of UTF-8, for text), and that many pass."""
        largest = ends.near.max_message
        assert (largest, ends.far.max_message) == (self.capabilities.max_message,) * 2
        messages: list[str | bytes] = [bytes(largest), "x" * largest, "ü" * (largest // 2)]
        for message in messages:
            reading = asyncio.ensure_future(ends.far.receive())
            await ends.near.send(message)
            assert await reading == message

    async def test_one_byte_more_is_refused_and_nothing_sent(self, ends: Ends) -> None:
        """`MessageTooLarge` means that nothing was sent, and the channel goes on."""
        largest = ends.near.max_message
        messages: list[str | bytes] = [bytes(largest + 1), "x" * (largest + 1), "ü" * (largest // 2 + 1)]
        for message in messages:
            with pytest.raises(MessageTooLarge):
                await ends.near.send(message)
        await ends.near.send("this fits")
        assert await ends.far.receive() == "this fits"

    async def test_messages_that_come_before_the_first_receive_are_kept(self, ends: Ends) -> None:
        """What arrives before anybody reads is handed out by the first calls of `receive`."""
        for number in range(50):
            await ends.near.send(ends.chunk(number, 100))
        await ends.far.send("it is there: this came back")
        await ends.near.receive()
        assert [await ends.far.receive() for _ in range(50)] == [ends.chunk(number, 100) for number in range(50)]

    async def test_a_taker_and_receive_have_each_message_once_and_in_order(self, ends: Ends) -> None:
        """What a taker leaves is received, at its place among those that it took."""
        sent: list[str | bytes] = [str(number) for number in range(301)]
        had: list[str | bytes] = []

        def take(message: str | bytes) -> bool:
            if int(message) % 3:
                had.append(message)
            return int(message) % 3 > 0

        ends.far.hand_first_to(take)
        async with asyncio.TaskGroup() as group:
            group.create_task(_send_all(ends.near, sent))
            while had[-1:] != sent[-1:]:
                had.append(await ends.far.receive())
        assert had == sent

    async def test_a_taker_gets_nothing_while_nobody_receives(self, ends: Ends) -> None:
        """What arrives while no task waits in `receive` is kept for it."""
        taken: list[str | bytes] = []

        def take(message: str | bytes) -> bool:
            taken.append(message)
            return True

        ends.far.hand_first_to(take)
        for number in range(10):
            await ends.near.send(ends.chunk(number, 100))
        await ends.far.send("it is there: this came back")
        await ends.near.receive()
        assert taken == []
        # The last of them may still be on their way.
        ends.far.hand_first_to(lambda _: False)
        assert [await ends.far.receive() for _ in range(10)] == [ends.chunk(number, 100) for number in range(10)]

    async def test_a_taker_that_raises_is_no_fault_of_the_peer(self, bench: ChannelBench, ends: Ends) -> None:
        """A message is not lost in silence when its taker fails: the channel ends, without a `RemoteViolation`, or hands it out."""

        def take(message: str | bytes) -> bool:
            raise LookupError(f"a mistake of the taker at {message!r}")

        ends.far.hand_first_to(take)
        reading = bench.spawn(ends.far.receive())
        await turns(3)
        await ends.near.send("one")
        await asyncio.wait([reading])
        failure = reading.exception()
        if failure is None:
            assert reading.result() == "one"
        else:
            assert isinstance(failure, ChannelClosed)
            assert not isinstance(failure.__cause__, RemoteViolation)

    async def test_a_message_sent_as_soon_as_one_end_is_open_arrives(self, bench: ChannelBench) -> None:
        """The other end need not have returned from `opened` when the first message comes."""
        ends = await bench.joined()
        await ends.near.opened(soon())
        await ends.near.send("early")
        await ends.far.opened(soon())
        assert await ends.far.receive() == "early"

    async def test_nothing_is_buffered_once_the_peer_has_all(self, ends: Ends) -> None:
        """`buffered` falls to 0 when everything that was sent has been received."""
        assert ends.near.buffered == 0
        for number in range(20):
            await ends.near.send(ends.chunk(number))
            assert ends.near.buffered >= 0
        for _ in range(20):
            await ends.far.receive()
        await until(lambda: ends.near.buffered == 0, "`buffered` fell to 0 after the peer had received everything")
