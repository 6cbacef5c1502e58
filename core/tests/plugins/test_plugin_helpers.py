"""What hallway gives to plugin authors: a channel over streams, and envelopes as bytes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from hallway.errors import BadEnvelope, ChannelClosed, RemoteViolation
from hallway.model import Envelope, PeerRecord, Refusal, RefusalCode
from hallway.plugins import codec
from hallway.plugins.streams import HEAD, StreamChannel, Streams

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
