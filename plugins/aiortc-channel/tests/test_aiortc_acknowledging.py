"""Acknowledgements go with what is sent anyway, and are never left out."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.rtcsctptransport import SackChunk

from hallway_aiortc_channel import acknowledging

NEVER = 1000.0


@pytest.fixture
async def pair(bench):
    return await bench.connect()


class Packets:
    """Counts what one end sends, and of it what only acknowledges."""

    def __init__(self, channel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.all = self.acknowledgements = 0
        transport = channel._session.sctp.transport
        send = transport._send_data

        async def counted(data: bytes) -> None:
            self.all += 1
            self.acknowledgements += data[12] == SackChunk.type and len(data) == 12 + 16
            await send(data)

        monkeypatch.setattr(transport, "_send_data", counted)


async def ping_pong(pair, times: int) -> None:
    for number in range(times):
        await pair.offering.send(f"ping {number}")
        assert await pair.answering.receive() == f"ping {number}"
        await pair.answering.send(f"pong {number}")
        assert await pair.offering.receive() == f"pong {number}"


async def test_an_answer_carries_the_acknowledgement(pair, monkeypatch):
    monkeypatch.setattr(acknowledging, "DELAY", NEVER)
    await ping_pong(pair, 5)
    offering, answering = Packets(pair.offering, monkeypatch), Packets(pair.answering, monkeypatch)
    await ping_pong(pair, 20)
    assert (offering.all, offering.acknowledgements) == (20, 0)
    assert (answering.all, answering.acknowledgements) == (20, 0)


async def test_what_nothing_answers_is_acknowledged_alone(pair, until):
    await pair.offering.send("hello")
    await until(lambda: not pair.offering.buffered)
    for number in range(3):
        await pair.offering.send(f"again {number}")
        await until(lambda: not pair.offering.buffered)


async def test_a_burst_needs_an_acknowledgement_for_every_second_packet(pair, monkeypatch, until):
    monkeypatch.setattr(acknowledging, "DELAY", NEVER)
    offering, answering = Packets(pair.offering, monkeypatch), Packets(pair.answering, monkeypatch)
    size, messages = 60_000, 10
    sending = asyncio.create_task(_send_all(pair.offering, messages, size))
    for _ in range(messages):
        assert len(await pair.answering.receive()) == size
    await sending
    assert offering.all >= messages * size / 1200
    assert answering.acknowledgements <= offering.all / 2 + 1


async def _send_all(channel, messages: int, size: int) -> None:
    for _ in range(messages):
        await channel.send(bytes(size))


async def test_what_is_missing_is_told_at_once(pair, monkeypatch, until):
    """Else the sender would learn of it only when its timer is up."""
    monkeypatch.setattr(acknowledging, "DELAY", NEVER)
    receive = pair.answering._session.sctp._handle_data
    lost = []

    async def lossy(data: bytes) -> None:
        if lost or len(data) < 1000:
            await receive(data)
        else:
            lost.append(data)

    monkeypatch.setattr(pair.answering._session.sctp, "_handle_data", lossy)
    answering = Packets(pair.answering, monkeypatch)
    before = answering.all
    await pair.offering.send(bytes(6_000))
    await until(lambda: lost and answering.all >= before + 3)
    assert await pair.answering.receive() == bytes(6_000)


async def test_no_timer_is_left_when_the_channel_ends(pair):
    await pair.offering.send("hello")
    await pair.answering.receive()
    await pair.aclose()
    assert pair.answering._session.sctp._timer is None
