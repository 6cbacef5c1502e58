"""A message takes no turn of the loop that it does not need, and nothing that goes wrong on the short way is lost on it."""

from __future__ import annotations

import asyncio

import pytest

from hallway.errors import ChannelClosed
from hallway.model import IcePolicy
from hallway_aiortc_channel.ice import PolicedConnection
from hallway_aiortc_channel.prompt import at_once


class Turns:
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.count = 0
        self._loop = asyncio.get_running_loop()
        self._next()

    def _next(self) -> None:
        self.count += 1
        self._loop.call_soon(self._next)


async def test_a_message_is_on_its_way_when_send_returns(pair, monkeypatch):
    sent: list[bytes] = []
    write = pair.offering._session._dtls._write

    def seen(data: bytes) -> None:
        sent.append(data)
        write(data)

    monkeypatch.setattr(pair.offering._session._dtls, "_write", seen)
    turns = Turns()
    begun = turns.count
    await pair.offering.send("hello")
    assert (len(sent), turns.count) == (1, begun)
    assert await pair.answering.receive() == "hello"


async def test_what_waits_in_the_queue_of_aiortc_goes_first(pair, until):
    """A message that overtook those that wait for the window would break the order."""
    sent = [f"{number}".ljust(100_000) for number in range(10)] + ["small"]
    async with asyncio.TaskGroup() as group:
        for message in sent:
            group.create_task(pair.offering.send(message))
        received = [await pair.answering.receive() for _ in sent]
    assert received == sent


async def test_a_mistake_of_ours_ends_the_channel_and_is_logged(pair, monkeypatch, caplog):
    async def fails(data: bytes) -> None:
        raise RuntimeError("made for this test")

    monkeypatch.setattr(pair.answering._session.sctp, "_handle_data", fails)
    receiving = asyncio.ensure_future(pair.answering.receive())
    await pair.offering.send("hello")
    with pytest.raises(ChannelClosed):
        await receiving
    assert "made for this test" in caplog.text


async def test_acknowledgements_behind_data_are_taken(pair, until):
    """They come with the answers: what was sent is not held for unacknowledged."""
    for number in range(10):
        await pair.offering.send(f"ping {number}")
        assert await pair.answering.receive() == f"ping {number}"
        await pair.answering.send("pong")
        assert await pair.offering.receive() == "pong"
        await until(lambda: pair.offering.buffered == 0)


async def test_a_datagram_that_waits_for_its_turn_outlives_who_waited_for_it(bench):
    """DTLS gives up waiting for one when its own timer is up."""
    connection, room = PolicedConnection(bench.connector()._plan(IcePolicy.LAN), controlling=True), asyncio.Event()
    connection._nominated[1] = None
    connection.room = room.wait
    connection._queue.put_nowait((b"flight", 1))
    waiting = asyncio.create_task(connection.recvfrom())
    for _ in range(3):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    room.set()
    async with asyncio.timeout(5):
        assert await connection.recvfrom() == (b"flight", 1)
    await connection.close()


async def test_work_that_waits_cannot_be_done_at_once():
    with pytest.raises(RuntimeError, match="waited"):
        at_once(asyncio.sleep(0))
