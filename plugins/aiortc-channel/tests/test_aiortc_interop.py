"""With a bare RTCPeerConnection at the other end, which stands for any other implementation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from aioice import ice
from aiortc import RTCSessionDescription

from hallway.errors import ChannelClosed
from hallway.model import Candidate, Description, IcePolicy

CANDIDATE = re.compile(r"a=(candidate:.*)\r\n")


class Inbox(asyncio.Queue[object]):
    """What a bare data channel receives."""

    def attach(self, data_channel) -> None:
        self.data_channel = data_channel
        data_channel.on("message", self.put_nowait)
        data_channel.on("close", lambda: self.put_nowait("(closed)"))


async def bare_offer(bench):
    peer = bench.peer_connection()
    inbox = Inbox()
    data_channel = peer.createDataChannel("anything")
    inbox.attach(data_channel)
    await peer.setLocalDescription(await peer.createOffer())
    return peer, inbox


async def accept_bare(peer, answer: Description) -> None:
    await peer.setRemoteDescription(RTCSessionDescription(answer.sdp, answer.type))


async def exchange(channel, inbox) -> None:
    await channel.send("to the bare end")
    assert await inbox.get() == "to the bare end"  # and so its end is open too
    inbox.data_channel.send(b"to ours")
    assert await channel.receive() == b"to ours"


async def test_we_answer_a_bare_offer(bench, deadline):
    peer, inbox = await bare_offer(bench)
    offer = Description("webrtc", "offer", peer.localDescription.sdp)
    answer, channel = await bench.connector().answer(offer, IcePolicy.LAN)
    bench.channels.append(channel)
    await accept_bare(peer, answer)
    await channel.opened(deadline())
    await exchange(channel, inbox)
    assert channel.binding is not None
    assert channel.binding.remote.removeprefix("sha-256 ") in peer.localDescription.sdp


async def test_a_bare_end_answers_our_offer(bench, deadline):
    dialing = await bench.connector().dial(IcePolicy.LAN)
    peer, inbox = bench.peer_connection(), Inbox()
    peer.on("datachannel", inbox.attach)
    await peer.setRemoteDescription(RTCSessionDescription(dialing.offer.sdp, "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    channel = await dialing.accept(Description("webrtc", "answer", peer.localDescription.sdp))
    bench.channels.append(channel)
    await channel.opened(deadline())
    await exchange(channel, inbox)
    assert inbox.data_channel.label == "data"


async def joined(bench, deadline):
    peer, inbox = await bare_offer(bench)
    answer, channel = await bench.connector().answer(Description("webrtc", "offer", peer.localDescription.sdp), IcePolicy.LAN)
    bench.channels.append(channel)
    await accept_bare(peer, answer)
    await channel.opened(deadline())
    await exchange(channel, inbox)
    return channel, inbox


async def test_the_bare_end_sees_our_close(bench, deadline):
    channel, inbox = await joined(bench, deadline)
    await channel.aclose()
    assert await inbox.get() == "(closed)"


async def test_we_see_the_close_of_the_bare_end(bench, deadline):
    channel, inbox = await joined(bench, deadline)
    inbox.data_channel.send("bye")
    inbox.data_channel.close()
    assert await channel.receive() == "bye"
    with pytest.raises(ChannelClosed, match="the peer closed"):
        await channel.receive()


@pytest.mark.parametrize("way", ["beside", "trickled"])
async def test_candidates_may_come_outside_of_the_sdp(bench, deadline, way):
    peer, inbox = await bare_offer(bench)
    sdp = peer.localDescription.sdp
    outside = [Candidate(text, "0", 0) for text in CANDIDATE.findall(sdp)] + [Candidate("")]
    bare = CANDIDATE.sub("", sdp).replace("a=end-of-candidates\r\n", "")
    offer = Description("webrtc", "offer", bare, tuple(outside) if way == "beside" else ())
    answer, channel = await bench.connector().answer(offer, IcePolicy.LAN)
    bench.channels.append(channel)
    if way == "trickled":
        for candidate in outside:
            await channel.add_candidate(candidate)
    await accept_bare(peer, answer)
    await channel.opened(deadline())
    await exchange(channel, inbox)


async def test_late_candidates_that_cannot_be_used_are_ignored(bench, deadline):
    peer, inbox = await bare_offer(bench)
    answer, channel = await bench.connector().answer(Description("webrtc", "offer", peer.localDescription.sdp), IcePolicy.LAN)
    bench.channels.append(channel)
    for text in ("nonsense", "candidate:1 1 udp 1 8.8.8.8 53 typ host", "candidate:1 1 udp 1 224.0.0.1 53 typ host", "", ""):
        await channel.add_candidate(Candidate(text))
    await accept_bare(peer, answer)
    await channel.opened(deadline())
    await exchange(channel, inbox)


class ScriptedNames:
    """In place of the multicast socket: answers when the test says so."""

    def __init__(self) -> None:
        self.answers: dict[str, asyncio.Future[str]] = {}

    async def resolve(self, name: str) -> str:
        self.answers[name] = asyncio.get_running_loop().create_future()
        return await self.answers[name]


@pytest.fixture
def names(monkeypatch) -> Iterator[ScriptedNames]:
    scripted = ScriptedNames()

    async def get(_subscriber):
        return scripted

    monkeypatch.setattr(ice, "get_or_create_mdns_protocol", get)
    return scripted


async def hidden_offer(bench):
    """An offer as a browser makes it: its addresses behind names (RFC 8828)."""
    peer, inbox = await bare_offer(bench)
    line = CANDIDATE.search(peer.localDescription.sdp)
    address = line[1].split(" ")[4]
    sdp = CANDIDATE.sub("", peer.localDescription.sdp) + f"a={line[1].replace(address, 'f00.local', 1)}\r\n"
    return peer, inbox, address, Description("webrtc", "offer", sdp)


async def test_local_names_hold_no_answer_up(bench, deadline, names, until):
    peer, inbox, address, offer = await hidden_offer(bench)
    answer, channel = await bench.connector().answer(offer, IcePolicy.LAN)
    bench.channels.append(channel)
    await until(lambda: "f00.local" in names.answers)
    names.answers["f00.local"].set_result(address)
    await accept_bare(peer, answer)
    await channel.opened(deadline())
    await exchange(channel, inbox)


async def test_a_name_that_resolves_to_a_public_address_is_not_used(bench, names, until):
    _, _, _, offer = await hidden_offer(bench)
    _, channel = await bench.connector().answer(offer, IcePolicy.LAN)
    bench.channels.append(channel)
    await until(lambda: "f00.local" in names.answers)
    names.answers["f00.local"].set_result("8.8.8.8")
    with pytest.raises(ChannelClosed, match="no path to the peer"):
        await channel.receive()
    assert not channel._session.connection.remote_candidates


async def test_closing_while_a_name_is_looked_up_leaves_nothing(bench, names, until):
    _, _, _, offer = await hidden_offer(bench)
    _, channel = await bench.connector().answer(offer, IcePolicy.LAN)
    await until(lambda: "f00.local" in names.answers)
    await channel.aclose()


async def test_a_peer_that_rejects_our_certificate_never_opens(bench):
    """The peer stays silent; bare aiortc would show `connected` for ever."""
    dialing = await bench.connector().dial(IcePolicy.LAN)
    altered = re.sub(r"sha-256 ..", "sha-256 00", dialing.offer.sdp)
    answer, answering = await bench.connector().answer(Description("webrtc", "offer", altered), IcePolicy.LAN)
    offering = await dialing.accept(answer)
    bench.channels += [offering, answering]
    with pytest.raises(ChannelClosed, match="certificate"):
        await answering.receive()
    assert answering.binding is None
