"""What hallway gives to plugin authors: a channel over streams, and envelopes as bytes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from hallway.errors import BadEnvelope, ChannelClosed, DeadlineExceeded, RemoteViolation, Unreachable
from hallway.interfaces import SignalingHost
from hallway.model import Envelope, Origin, PeerRecord, Refusal, RefusalCode, Sighting
from hallway.plugins import codec
from hallway.plugins.streams import HEAD, StreamChannel, Streams, accept

RECORD = PeerRecord("tablet-1", "hotel-1", "tablet", ("folder://tablet-1",), "epoch")
LIMIT = 64 * 1024


async def over(sock: socket.socket) -> Streams:
    return await asyncio.open_connection(sock=sock)


@pytest.fixture
async def end() -> AsyncIterator[tuple[StreamChannel, socket.socket]]:
    """One end of a channel, and the socket at which the peer sits."""
    near, far = socket.socketpair()
    channel = StreamChannel("pair", over(near))
    await channel.opened(asyncio.get_running_loop().time() + 10)
    yield channel, far
    far.close()
    await channel.aclose()


@pytest.mark.parametrize("frame", [HEAD.pack(False, 2**32 - 1), HEAD.pack(True, 2) + b"\xff\xfe"], ids=["announced too much", "no UTF-8"])
async def test_a_peer_that_breaks_the_framing_ends_its_channel(end: tuple[StreamChannel, socket.socket], frame: bytes) -> None:
    channel, far = end
    far.sendall(frame)
    with pytest.raises(ChannelClosed) as caught:
        await channel.receive()
    assert isinstance(caught.value.__cause__, RemoteViolation)
    with pytest.raises(ChannelClosed):
        await channel.send("after")


async def test_a_connection_that_cannot_be_made_ends_the_channel_and_releases() -> None:
    async def refused() -> Streams:
        raise ConnectionRefusedError("nobody is there")

    released = asyncio.Event()
    channel = StreamChannel("pair", refused(), release=released.set)
    with pytest.raises(ChannelClosed, match="nobody is there"):
        await channel.opened(asyncio.get_running_loop().time() + 10)
    await released.wait()
    await channel.aclose()


@pytest.mark.parametrize("value", [Envelope("offer", "a/b", bytes(range(256))), Refusal(RefusalCode.GLARE, "später"), RECORD], ids=repr)
def test_what_is_dumped_is_loaded(value: Envelope | Refusal | PeerRecord) -> None:
    assert codec.loads(codec.dumps(value), PeerRecord if value is RECORD else Envelope | Refusal) == value


def test_the_largest_body_passes_and_one_byte_more_does_not() -> None:
    assert codec.loads(codec.dumps(Envelope("answer", "a/b", bytes(LIMIT)))).body == bytes(LIMIT)
    with pytest.raises(BadEnvelope):
        codec.loads(codec.dumps(Envelope("answer", "a/b", bytes(LIMIT + 1))))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 80_000, b'{"kind": 1}', b'{"code": "?"}', b" " * 100_000])
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(BadEnvelope):
        codec.loads(data)


class Mirror(SignalingHost):
    """Answers every request with what it asked."""

    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        if envelope.kind == "broken":
            raise ZeroDivisionError
        return Envelope("answer", envelope.content_type, origin.plugin.encode() + envelope.body)

    def report(self, sighting: Sighting) -> None:
        raise NotImplementedError

    def up(self, listen: tuple[str, ...]) -> None:
        raise NotImplementedError

    def down(self, reason: str) -> None:
        raise NotImplementedError


async def response(data: bytes) -> Envelope | Refusal:
    value: Envelope | Refusal = codec.loads(await codec.respond(Mirror(), data, Origin("test")))
    return value


@pytest.mark.parametrize("size", [0, codec.MAX_REQUEST])
async def test_a_request_is_handed_in_and_answered(size: int) -> None:
    asked = codec.dumps(Envelope("offer", "a/b", bytes(size)))
    assert await response(asked) == Envelope("answer", "a/b", b"test" + bytes(size))


@pytest.mark.parametrize("size", [codec.MAX_REQUEST + 1, 2 * codec.MAX_REQUEST, 4 * codec.MAX_REQUEST])
async def test_a_request_that_is_too_large_is_refused(size: int) -> None:
    refused = await response(codec.dumps(Envelope("offer", "a/b", bytes(size))))
    assert isinstance(refused, Refusal)
    assert refused.code is RefusalCode.TOO_LARGE


async def test_what_is_no_request_is_refused() -> None:
    for data in (b"{", codec.dumps(Refusal(RefusalCode.GLARE, "not to be asked"))):
        refused = await response(data)
        assert isinstance(refused, Refusal)
        assert refused.code is RefusalCode.BAD_REQUEST


async def test_a_host_that_fails_refuses_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    refused = await response(codec.dumps(Envelope("broken", "a/b", b"")))
    assert isinstance(refused, Refusal)
    assert refused.code is RefusalCode.INTERNAL
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), EOFError("gone")], ids=repr)
async def test_errors_of_the_system_become_the_kind_that_was_asked_for(error: Exception) -> None:
    with pytest.raises(Unreachable, match="tablet-1: gone") as caught:
        async with codec.mapped(Unreachable, "tablet-1"):
            raise error
    assert caught.value.__cause__ is error


async def test_a_block_that_outlives_its_deadline_is_ended() -> None:
    with pytest.raises(DeadlineExceeded, match="tablet-1"):
        async with codec.mapped(Unreachable, "tablet-1", asyncio.get_running_loop().time()):
            await asyncio.Event().wait()


async def test_strangers_are_passed_over_until_the_peer_connects() -> None:
    async def greet(streams: Streams) -> Streams:
        if await streams[0].readexactly(4) == b"peer":
            return streams
        streams[1].close()
        raise ConnectionError("a stranger")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        accepting = asyncio.ensure_future(accept(listening, greet))
        with socket.create_connection(listening.getsockname()) as stranger, socket.create_connection(listening.getsockname()) as peer:
            stranger.sendall(b"what")
            peer.sendall(b"peer")
            _, writer = await accepting
            assert writer.get_extra_info("peername") == peer.getsockname()
            writer.transport.abort()
            await writer.wait_closed()
