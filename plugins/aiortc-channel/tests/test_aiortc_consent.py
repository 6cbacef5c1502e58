"""A peer that answers late still wants what we send; one that answers no more does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aioice import stun

from hallway.errors import ChannelClosed
from hallway.model import IcePolicy
from hallway.network import InterfacePolicy
from hallway_aiortc_channel import consent
from hallway_aiortc_channel.consent import LIFE, MAX_OPEN, Consents

LOOPBACK = InterfacePolicy(allow=("lo*",))
KEY = b"the password of the peer"
PEER = ("127.0.0.1", 9)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Asking:
    """Questions over a socket of a real session, whose answers the test makes up."""

    def __init__(self, protocol) -> None:
        self.clock, self.asked = Clock(), []
        self._protocol = protocol
        protocol.send_stun = lambda message, addr: self.asked.append(message)
        self.consents = Consents(self.clock)

    def ask(self) -> None:
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        self.consents.ask(self._protocol, request, PEER, KEY)

    def answer(self, question: stun.Message, *, key: bytes = KEY, kind: stun.Class = stun.Class.RESPONSE) -> None:
        message = stun.Message(message_method=stun.Method.BINDING, message_class=kind, transaction_id=question.transaction_id)
        if kind is stun.Class.ERROR:
            message.attributes["ERROR-CODE"] = (400, "Bad Request")
        message.add_message_integrity(key)
        self._protocol.datagram_received(bytes(message), PEER)


@pytest.fixture
async def asking(bench) -> AsyncIterator[Asking]:
    dialing = await bench.connector(interfaces=LOOPBACK).dial(IcePolicy.LAN)
    yield Asking(dialing._session.connection._protocols[0])
    await dialing.aclose()


async def test_an_answer_counts_however_late_it_is(asking):
    asking.ask()
    asking.clock.now += LIFE - 1
    assert asking.consents.left == 1
    asking.ask()
    asking.answer(asking.asked[0])
    assert asking.consents.left == LIFE


async def test_what_is_no_answer_of_the_peer_does_not_count(asking):
    asking.ask()
    asking.clock.now += 5
    asking.answer(asking.asked[0], key=b"another one")
    asking.answer(asking.asked[0], kind=stun.Class.ERROR)
    assert asking.consents.left == LIFE - 5


async def test_an_answer_to_a_question_of_long_ago_does_not_count(asking):
    for _ in range(MAX_OPEN + 1):
        asking.ask()
    asking.clock.now += 5
    asking.answer(asking.asked[0])
    assert asking.consents.left == LIFE - 5
    asking.answer(asking.asked[1])
    assert asking.consents.left == LIFE


async def test_a_connection_lives_while_the_peer_answers_and_ends_when_it_does_no_more(bench, monkeypatch, deadline):
    monkeypatch.setattr(consent, "PAUSE", (0.0, 0.01))
    pair = await bench.connect()
    near, far = pair.offering, pair.answering
    answers, ends = asyncio.Semaphore(0), far._session.connection._protocols
    is_silent = False

    def counted(send):
        def send_stun(message: stun.Message, addr: tuple[str, int]) -> None:
            if message.message_class is stun.Class.RESPONSE:
                answers.release()
                if is_silent:
                    return
            send(message, addr)

        return send_stun

    for protocol in ends:
        protocol.send_stun = counted(protocol.send_stun)
    async with asyncio.timeout_at(deadline()):
        for _ in range(20):
            await answers.acquire()
        await near.send("still there")
        assert await far.receive() == "still there"
        is_silent = True
        monkeypatch.setattr(consent, "LIFE", 0.1)
        with pytest.raises(ChannelClosed):
            await near.receive()
