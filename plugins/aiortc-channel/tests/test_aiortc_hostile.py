"""Strangers on the site and peers that are admitted but hostile: each ends its own channel at most."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket

import pytest
from aioice import Candidate as IceCandidate
from aiortc import RTCSessionDescription
from aiortc.rtcsctptransport import Chunk, DataChunk, SackChunk

from hallway.errors import ChannelClosed, RemoteViolation
from hallway.model import Description, IcePolicy
from hallway.network import InterfacePolicy
from hallway_aiortc_channel.ice import MAX_QUEUE

DTLS_LIKE = b"\x16\xfe\xfd" + bytes(60)
ENCRYPTED = b"\x17\xfe\xfd\x00\x01" + bytes(6) + b"\x00\x32" + bytes(50)
"""A record that only its keys could show to be forged."""


@contextlib.contextmanager
def udp(host: str = "127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        yield sock


@pytest.fixture
async def complaints():
    """What aiortc's tasks leave for the loop's exception handler."""
    heard: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))
    yield heard
    gc.collect()
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert heard == []


@pytest.mark.parametrize("datagram", [b"", b"\x00", b"\x16", DTLS_LIKE, b"\x80" * 40, b"\x01\x01\x00\x00" + bytes(16), bytes(1400)])
@pytest.mark.attack("A20")
async def test_a_datagram_of_a_stranger_does_no_harm(pair, complaints, datagram):
    for end in (pair.offering, pair.answering):
        for protocol in end._session.connection._protocols:
            host, port = protocol.local_candidate.host, protocol.local_candidate.port
            with udp(host) as stranger:
                for _ in range(3):
                    stranger.sendto(datagram, (host, port))
    await pair.offering.send("still")
    await pair.answering.send("here")
    assert (await pair.answering.receive(), await pair.offering.receive()) == ("still", "here")


async def test_an_empty_datagram_of_the_peers_own_socket_does_no_harm(pair, complaints):
    connection = pair.offering._session.connection
    (nominated,) = connection._nominated.values()
    own = nominated.protocol.transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(own.fileno())) as twin:
        twin.sendto(b"", nominated.remote_addr)
    await pair.offering.send("still here")
    assert await pair.answering.receive() == "still here"


@pytest.mark.parametrize("datagram", [DTLS_LIKE, bytes(1400), b"\x00\x01\x00\x00" + bytes(15)], ids=["dtls", "zeros", "cut-stun"])
@pytest.mark.attack("A20")
async def test_nothing_is_kept_of_strangers_before_the_connection_stands(bench, until, datagram):
    dialing = await bench.connector(interfaces=InterfacePolicy(allow=("lo",))).dial(IcePolicy.LAN)
    connection = dialing._session.connection
    protocol = next(one for one in connection._protocols if one.local_candidate.host == "127.0.0.1")
    seen = count_datagrams(protocol)
    with udp() as stranger:
        for sent in range(40, 2001, 40):
            for _ in range(40):
                stranger.sendto(datagram, ("127.0.0.1", protocol.local_candidate.port))
            await until(lambda sent=sent: seen() >= sent)
    assert connection._queue.qsize() == 0
    await dialing.aclose()


@pytest.mark.parametrize(
    "datagram",
    [b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(12) + b"\x00\x06\x00\x04abcd"],
    ids=["no-name", "other-name"],
)
async def test_a_check_that_does_not_name_the_session_gets_no_answer(bench, until, datagram):
    """Whoever claims another source would have us send to it."""
    dialing = await bench.connector(interfaces=InterfacePolicy(allow=("lo",))).dial(IcePolicy.LAN)
    protocol = next(one for one in dialing._session.connection._protocols if one.local_candidate.host == "127.0.0.1")
    seen = count_datagrams(protocol)
    with udp() as stranger:
        stranger.setblocking(False)
        for _ in range(3):
            stranger.sendto(datagram, ("127.0.0.1", protocol.local_candidate.port))
        await until(lambda: seen() >= 3)
        with pytest.raises(BlockingIOError):
            stranger.recv(2048)
    await dialing.aclose()


async def test_what_is_kept_of_a_known_peer_is_bounded(bench, until):
    dialing = await bench.connector(interfaces=InterfacePolicy(allow=("lo",))).dial(IcePolicy.LAN)
    connection = dialing._session.connection
    protocol = next(one for one in connection._protocols if one.local_candidate.host == "127.0.0.1")
    seen = count_datagrams(protocol)
    with udp() as peer:
        host, port = peer.getsockname()
        await connection.add_remote_candidate(IceCandidate("1", 1, "udp", 1, host, port, "host"))
        for _ in range(40):
            for _ in range(40):
                peer.sendto(ENCRYPTED, ("127.0.0.1", protocol.local_candidate.port))
            await asyncio.sleep(0)
        await until(lambda: seen() >= 1600)
    assert connection._queue.qsize() == MAX_QUEUE
    await dialing.aclose()


def count_datagrams(protocol):
    """Count what the socket hands to the guard, and pass it on."""
    received = protocol.take
    count = 0

    def counting(data, addr):
        nonlocal count
        count += 1
        received(data, addr)

    protocol.take = counting
    return lambda: count


class Hostile:
    """A bare peer whose SCTP does what the test wants."""

    def __init__(self, peer, data_channel) -> None:
        self.peer = peer
        self.data_channel = data_channel
        self.sctp = peer.sctp

    async def say(self, pp_id: int, data: bytes, stream: int | None = None) -> None:
        await self.sctp._send(self.data_channel.id if stream is None else stream, pp_id, data)


async def hostile_pair(bench, deadline):
    peer = bench.peer_connection()
    data_channel = peer.createDataChannel("data")
    opened = asyncio.Event()
    data_channel.on("open", opened.set)
    await peer.setLocalDescription(await peer.createOffer())
    answer, channel = await bench.connector().answer(Description("webrtc", "offer", peer.localDescription.sdp), IcePolicy.LAN)
    bench.channels.append(channel)
    await peer.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
    await channel.opened(deadline())
    await opened.wait()
    return Hostile(peer, data_channel), channel


async def read_to_the_end(channel) -> None:
    while True:
        await channel.receive()


async def oversized_message(hostile):
    hostile.sctp._remote_max_message_size = 0
    hostile.data_channel.send(bytes(262_145))


async def endless_message(hostile):
    await hostile.say(53, bytes(8 * 1024 * 1024))


async def invalid_utf8(hostile):
    await hostile.say(51, b"\xff\xfe")


async def duplicate_open(hostile):
    await hostile.say(50, b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")


async def truncated_open(hostile):
    await hostile.say(50, b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\xff\x00\x00\xff", stream=8)
    await hostile.say(50, b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\xff\xff", stream=10)


async def unknown_ack(hostile):
    await hostile.say(50, b"\x02", stream=77)


async def many_streams(hostile):
    for stream in range(100, 300):
        await hostile.say(53, b"x", stream=stream)


async def streams_of_duplicates(hostile):
    """What has come already is not looked at again; its stream is another one each time."""
    chunk = DataChunk(flags=3)
    chunk.tsn, chunk.protocol, chunk.user_data = (hostile.sctp._local_tsn - 1) % 2**32, 53, b"x"
    for stream in range(100, 300):
        chunk.stream_id = stream
        await hostile.sctp._send_chunk(chunk)


async def many_channels(hostile):
    for number in range(20):
        hostile.peer.createDataChannel(f"extra-{number}")


class RawChunk(Chunk):
    def __init__(self, kind: int, body: bytes) -> None:
        super().__init__(0, body)
        self.type = kind


def raw(kind: int, body: bytes):
    async def send(hostile) -> None:
        await hostile.sctp._send_chunk(RawChunk(kind, body))

    send.__name__ = f"chunk_{kind}"
    return send


async def acknowledging_the_future(hostile):
    sack = SackChunk()
    sack.cumulative_tsn = (hostile.sctp._last_received_tsn + 1_000_000) % 2**32
    sack.advertised_rwnd = 1
    await hostile.sctp._send_chunk(sack)


async def acknowledging_in_great_gaps(hostile):
    sack = SackChunk()
    sack.cumulative_tsn = hostile.sctp._last_received_tsn
    sack.advertised_rwnd = 1
    sack.gaps = [(1, 65535)] * 200
    await hostile.sctp._send_chunk(sack)


ATTACKS = [
    oversized_message,
    endless_message,
    invalid_utf8,
    duplicate_open,
    truncated_open,
    unknown_ack,
    many_streams,
    streams_of_duplicates,
    many_channels,
    acknowledging_the_future,
    acknowledging_in_great_gaps,
    raw(4, b"\x00\x01\x00\x00"),
    raw(130, b"\x00\x0d\x00\x00" + bytes(12)),
    raw(130, b"\x00\x0d\x00\x05\x00"),
    raw(3, b"\x00"),
    raw(192, b"\x00"),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@pytest.mark.attack("A21")
async def test_a_hostile_peer_ends_only_its_own_channel(bench, deadline, complaints, attack):
    bystanders = await bench.connect()
    hostile, channel = await hostile_pair(bench, deadline)
    await attack(hostile)
    with pytest.raises(ChannelClosed, match="broke the protocol") as caught:
        await read_to_the_end(channel)
    assert isinstance(caught.value.__cause__, RemoteViolation)
    await bystanders.offering.send("unharmed")
    assert await bystanders.answering.receive() == "unharmed"


@pytest.mark.attack("A10")
async def test_a_second_data_channel_is_closed_and_the_first_lives(bench, deadline, complaints):
    hostile, channel = await hostile_pair(bench, deadline)
    second, closed = hostile.peer.createDataChannel("second"), asyncio.Event()
    second.on("close", closed.set)
    await closed.wait()
    hostile.data_channel.send("first")
    assert await channel.receive() == "first"


async def test_an_unreliable_channel_is_not_taken(bench, deadline):
    peer = bench.peer_connection()
    peer.createDataChannel("data", ordered=False, maxRetransmits=0)
    await peer.setLocalDescription(await peer.createOffer())
    answer, channel = await bench.connector().answer(Description("webrtc", "offer", peer.localDescription.sdp), IcePolicy.LAN)
    bench.channels.append(channel)
    closed = asyncio.Event()
    reliable = peer.createDataChannel("reliable")
    reliable.on("message", lambda _: closed.set())
    await peer.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
    await channel.opened(deadline())
    await channel.send("over the reliable one")
    await closed.wait()


@pytest.mark.parametrize("flags", [0, 2])
@pytest.mark.attack("A21")
async def test_tiny_fragments_that_are_never_finished_end_the_channel(bench, deadline, complaints, flags):
    hostile, channel = await hostile_pair(bench, deadline)
    sctp = hostile.sctp
    reading = asyncio.create_task(channel.receive())
    while not reading.done():
        chunk = DataChunk(flags=flags)
        chunk.tsn, sctp._local_tsn = sctp._local_tsn, (sctp._local_tsn + 1) % 2**32
        chunk.stream_id, chunk.stream_seq, chunk.protocol, chunk.user_data = hostile.data_channel.id, 1, 53, b"x"
        await sctp._send_chunk(chunk)
        await asyncio.sleep(0)
    with pytest.raises(ChannelClosed, match="fragments"):
        await reading
