"""Datagrams with the peer's own address and port that the peer never sent: DTLS that looks right, while connecting and while linked."""

from __future__ import annotations

import asyncio
import os
import struct

import pytest
from OpenSSL import SSL

from hallway.model import IcePolicy
from hallway_aiortc_channel._records import RecordFilter
from hallway_aiortc_channel.ice import MAX_DATAGRAM


def record(kind: int, epoch: int, body: bytes, sequence: int = 500, version: bytes = b"\xfe\xfd") -> bytes:
    return bytes([kind]) + version + struct.pack("!HHIH", epoch, 0, sequence, len(body)) + body


def message(kind: int, number: int, body: bytes, *, total: int | None = None, offset: int = 0) -> bytes:
    whole = len(body) if total is None else total
    return bytes([kind]) + whole.to_bytes(3) + struct.pack("!H", number) + offset.to_bytes(3) + len(body).to_bytes(3) + body


CLIENT_HELLO, SERVER_HELLO, HELLO_VERIFY, KEY_EXCHANGE = 1, 2, 3, 16
FORGED = {
    "a fatal alert": record(21, 0, b"\x02\x28"),
    "a close_notify": record(21, 0, b"\x01\x00"),
    "a warning": record(21, 0, b"\x01\x5a"),
    "a broken alert": record(21, 0, b"\x07\x07\x07"),
    "an alert behind a keyed record": record(23, 1, os.urandom(20)) + record(21, 0, b"\x02\x28"),
    "zeros": record(22, 0, bytes(60)),
    "ones": record(22, 0, b"\xff" * 60),
    "a cut message": record(22, 0, b"\x01"),
    "an empty record": record(22, 0, b""),
    "a huge message": record(22, 0, message(11, 1, bytes(20), total=0xFFFFFF)),
    "a fragment beyond its message": record(22, 0, message(11, 1, bytes(20), total=30, offset=20)),
    "a HelloRequest": record(22, 0, message(0, 0, b"")),
    "a Finished without keys": record(22, 0, message(20, 3, bytes(12))),
    "an early ChangeCipherSpec": record(20, 0, b"\x01"),
    "a broken ChangeCipherSpec": record(20, 0, b"\x02\x02"),
    "data without keys": record(23, 0, b"hello"),
    "an unknown type": record(24, 0, b"hello"),
    "another version": record(22, 0, bytes(30), version=b"\xfe\x00"),
    "a cut header": b"\x16\xfe\xfd",
    "a length beyond the datagram": b"\x16\xfe\xfd" + bytes(8) + b"\x40\x00" + bytes(20),
    "keyed data": record(23, 1, os.urandom(60)),
    "a keyed message": record(22, 1, os.urandom(60)),
    "a keyed alert": record(21, 1, os.urandom(40)),
    "the highest sequence number": b"\x17\xfe\xfd\x00\x01" + b"\xff" * 6 + b"\x00\x20" + os.urandom(32),
    "an alert of the next epoch": record(21, 2, b"\x02\x28"),
    "many keyed records": b"".join(record(23, 1, os.urandom(1), 1000 + number) for number in range(80)),
    "DTLS 1.3": bytes([0x2F]) + os.urandom(40),
    "a ClientHello to a client": record(22, 0, message(CLIENT_HELLO, 0, bytes(60))),
    "a ServerHello to a server": record(22, 0, message(SERVER_HELLO, 0, bytes(60))),
    "a HelloVerifyRequest to a server": record(22, 0, message(HELLO_VERIFY, 0, b"\xfe\xff\x14" + bytes(20))),
}
TO_CLIENT_ONLY, TO_SERVER_ONLY = {"a ClientHello to a client"}, {"a ServerHello to a server", "a HelloVerifyRequest to a server"}


def forge_before(session, step: int, forged: bytes) -> None:
    """Have ``forged`` arrive right before the datagram number ``step`` of the handshake."""
    connection = session.connection
    arrive = connection.data_received
    count = 0

    def received(data: bytes, component: int) -> None:
        nonlocal count
        if count == step:
            arrive(forged, component)
        count += 1
        arrive(data, component)

    connection.data_received = received


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_record_does_not_end_a_handshake(bench, deadline, name, step):
    dialing = await bench.connector().dial(IcePolicy.LAN)
    answer, answering = await bench.connector().answer(dialing.offer, IcePolicy.LAN)
    server, client = dialing._session, answering._session
    if name not in TO_CLIENT_ONLY:
        forge_before(server, step, FORGED[name])
    if name not in TO_SERVER_ONLY:
        forge_before(client, step, FORGED[name])
    offering = await dialing.accept(answer)
    bench.channels += [offering, answering]
    await asyncio.gather(offering.opened(deadline()), answering.opened(deadline()))
    await offering.send("unharmed")
    assert await answering.receive() == "unharmed"


@pytest.mark.attack("A20")
async def test_no_forged_record_ends_a_channel(pair):
    for forged in FORGED.values():
        for end in (pair.offering, pair.answering):
            for _ in range(3):
                end._session.connection.data_received(forged, 1)
        await pair.offering.send("still")
        await pair.answering.send("here")
        assert (await pair.answering.receive(), await pair.offering.receive()) == ("still", "here")


async def test_a_datagram_larger_than_any_frame_is_not_kept(pair):
    connection = pair.offering._session.connection
    waiting = connection._queue.qsize()
    connection.data_received(record(23, 1, bytes(MAX_DATAGRAM)), 1)
    assert connection._queue.qsize() == waiting


async def test_a_transport_that_openssl_has_given_up_is_released_all_the_same(pair, monkeypatch):
    def refuse(data: bytes) -> None:
        raise SSL.Error([])

    monkeypatch.setattr(pair.offering._session.sctp.transport, "_ssl", None)
    pair.offering._session.sctp.transport._ssl = type("Broken", (), {"send": staticmethod(refuse), "shutdown": lambda _: None})()
    pair.offering._session.sctp.transport._write_ssl = lambda: asyncio.sleep(0)
    await pair.offering.aclose(0.0)
    assert pair.offering._session.connection._protocols == []


def test_genuine_records_of_a_flight_pass_and_what_is_between_them_does_not():
    key_exchange = record(22, 0, message(KEY_EXCHANGE, 2, bytes(66)))
    cipher, finished = record(20, 0, b"\x01"), record(22, 1, os.urandom(40))
    assert (
        RecordFilter(client=False).take(key_exchange + record(21, 0, b"\x02\x28") + cipher + finished) == key_exchange + cipher + finished
    )


def test_fragments_of_a_message_pass():
    parts = [record(22, 0, message(11, 1, bytes(size), total=900, offset=offset)) for offset, size in ((0, 400), (400, 500))]
    assert [RecordFilter(client=True).take(part) for part in parts] == parts


def test_whatever_is_random_passes_without_an_error():
    for size in range(200):
        for head in (b"\x16\xfe\xfd", b"\x14\xfe\xff", b"\x16"):
            RecordFilter().take(head + os.urandom(size))
