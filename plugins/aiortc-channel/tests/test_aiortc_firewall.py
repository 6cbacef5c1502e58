"""A firewall that lets in only answers: at the dialing end, whose own checks begin when the answer has come."""

from __future__ import annotations

import asyncio

import pytest
from aioice import stun

from hallway.model import IcePolicy
from hallway.network import InterfacePolicy
from hallway_aiortc_channel import datagrams

LOOPBACK = InterfacePolicy(allow=("lo*",))


class Firewall:
    """Drops what comes to a protocol from where it has sent nothing yet, as connection tracking does."""

    def __init__(self, protocol) -> None:
        self.dropped = asyncio.Event()
        self._sent: set[tuple[str, int]] = set()
        self._send, self._receive = protocol.send_stun, protocol.datagram_received
        protocol.send_stun, protocol.datagram_received = self._outward, self._inward

    def _outward(self, message: stun.Message, addr: tuple[str, int]) -> None:
        self._sent.add(addr)
        self._send(message, addr)

    def _inward(self, data: bytes, addr: tuple[str, int]) -> None:
        if (addr[0], addr[1]) in self._sent:
            self._receive(data, addr)
        else:
            self.dropped.set()


async def test_a_stateful_firewall_at_the_dialing_end_costs_no_retransmission(bench, monkeypatch, deadline):
    monkeypatch.setattr(stun, "RETRY_RTO", 3600.0)
    monkeypatch.setattr(datagrams, "CHECKS", ())
    dialing = await bench.connector(interfaces=LOOPBACK).dial(IcePolicy.LAN)
    firewalls = [Firewall(protocol) for protocol in dialing._session.connection._protocols]
    answer, answering = await bench.connector(interfaces=LOOPBACK).answer(dialing.offer, IcePolicy.LAN)
    bench.channels.append(answering)
    async with asyncio.timeout_at(deadline()):
        await asyncio.gather(*(firewall.dropped.wait() for firewall in firewalls))

    offering = await dialing.accept(answer)
    bench.channels.append(offering)
    await asyncio.gather(offering.opened(deadline()), answering.opened(deadline()))
    await answering.send("through")
    assert await offering.receive() == "through"


async def test_a_check_is_repeated_once_and_not_after_its_response(bench):
    dialing = await bench.connector(interfaces=LOOPBACK).dial(IcePolicy.LAN)
    protocol = dialing._session.connection._protocols[0]
    sent: list[bytes] = []
    protocol.send_stun = lambda message, addr: sent.append(message.transaction_id)
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    peer = ("127.0.0.1", 9)
    asking = asyncio.create_task(protocol.request(request, peer))
    await asyncio.sleep(0)
    for _ in range(3):
        protocol.repeat(peer)
    assert sent == [request.transaction_id] * 2

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    protocol.repeat(peer)
    assert len(sent) == 2
    await dialing.aclose()
