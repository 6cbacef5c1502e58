"""A peer that breaks rules, played by a bare connection of libwebrtc: it ends its own channel, and gets nothing it should not."""

from __future__ import annotations

import asyncio

import attrs
import pytest
import webrtc

from hallway.errors import BadDescription, ChannelClosed, DeadlineExceeded, RemoteViolation
from hallway.interfaces import Channel
from hallway.model import Candidate, Description, IcePolicy
from hallway.network.reach import Lan
from hallway_libwebrtc_channel import session


class Inbox(asyncio.Queue[object]):
    """What a bare data channel receives."""

    def attach(self, data_channel: webrtc.RTCDataChannel) -> None:
        self.data_channel = data_channel
        data_channel.on("open", lambda event: self.put_nowait("(open)"))
        data_channel.on("message", lambda event: self.put_nowait(event.data))
        data_channel.on("close", lambda event: self.put_nowait("(closed)"))


async def described(peer: webrtc.RTCPeerConnection) -> str:
    gathered = asyncio.Event()
    peer.on("icecandidate", lambda event: gathered.set() if event.candidate is None else None)
    await peer.set_local_description()
    await gathered.wait()
    # Of our own addresses only those that the policy allows count here.
    lines = peer.local_description.sdp.split("\r\n")
    return "\r\n".join(line for line in lines if not (line.startswith("a=candidate") and (" 127." in line or " ::1 " in line)))


@attrs.define
class Joined:
    peer: webrtc.RTCPeerConnection
    inbox: Inbox
    channel: Channel


async def bare_offer(bench, **init: object) -> tuple[webrtc.RTCPeerConnection, Inbox, str]:
    peer, inbox = bench.peer_connection(), Inbox()
    inbox.attach(peer.create_data_channel("anything", webrtc.RTCDataChannelInit(**init)))
    return peer, inbox, await described(peer)


async def joined(bench, **init: object) -> Joined:
    peer, inbox, sdp = await bare_offer(bench, **init)
    answer, channel = await bench.connector().answer(Description("webrtc", "offer", sdp), IcePolicy.LAN)
    bench.channels.append(channel)
    await peer.set_remote_description(webrtc.RTCSessionDescriptionInit("answer", answer.sdp))
    assert await inbox.get() == "(open)"
    return Joined(peer, inbox, channel)


async def ended(channel: Channel) -> ChannelClosed:
    """How it ended, which is all that a receiver gets of it."""
    with pytest.raises(ChannelClosed) as caught:
        await channel.receive()
    return caught.value


async def test_we_answer_a_bare_offer(bench, deadline):
    made = await joined(bench)
    await made.channel.opened(deadline())
    await made.channel.send("to the bare end")
    assert await made.inbox.get() == "to the bare end"
    made.inbox.data_channel.send(b"to ours")
    assert await made.channel.receive() == b"to ours"


async def test_a_bare_end_answers_our_offer_and_sees_one_reliable_channel_called_data(bench, deadline):
    dialing = await bench.connector().dial(IcePolicy.LAN)
    peer, inbox = bench.peer_connection(), Inbox()
    peer.on("datachannel", lambda event: inbox.attach(event.channel))
    await peer.set_remote_description(webrtc.RTCSessionDescriptionInit("offer", dialing.offer.sdp))
    channel = await dialing.accept(Description("webrtc", "answer", await described(peer)))
    bench.channels.append(channel)
    await channel.opened(deadline())
    assert await inbox.get() == "(open)"
    found = inbox.data_channel
    assert (found.label, found.ordered, found.negotiated, found.max_retransmits, found.max_packet_life_time) == (
        "data", True, False, None, None,
    )  # fmt: skip


@pytest.mark.parametrize("init", [{"ordered": False}, {"max_retransmits": 0}, {"max_packet_life_time": 10}], ids=str)
async def test_a_channel_that_may_lose_or_reorder_is_not_taken(bench, deadline, init):
    made = await joined(bench, **init)
    assert await made.inbox.get() == "(closed)"
    with pytest.raises(DeadlineExceeded):
        await made.channel.opened(deadline(0.0))
    reliable = Inbox()
    reliable.attach(made.peer.create_data_channel("reliable"))
    await made.channel.opened(deadline())


async def test_further_channels_are_closed_and_too_many_end_the_session(bench, deadline):
    made = await joined(bench)
    await made.channel.opened(deadline())
    for _ in range(8):
        extra = Inbox()
        extra.attach(made.peer.create_data_channel("more"))
        assert [await extra.get(), await extra.get()] == ["(open)", "(closed)"]
    await made.channel.send("still there")
    assert await made.inbox.get() == "still there"
    made.peer.create_data_channel("one too many")
    error = await ended(made.channel)
    assert isinstance(error.__cause__, RemoteViolation)


async def test_a_certificate_that_was_not_announced_opens_nothing(bench, deadline):
    peer, _, sdp = await bare_offer(bench)
    digest = next(line for line in sdp.split("\r\n") if line.startswith("a=fingerprint"))
    forged = sdp.replace(digest, digest[:-5] + ("00:00" if digest[-5:] != "00:00" else "11:11"))
    answer, channel = await bench.connector().answer(Description("webrtc", "offer", forged), IcePolicy.LAN)
    bench.channels.append(channel)
    await peer.set_remote_description(webrtc.RTCSessionDescriptionInit("answer", answer.sdp))
    with pytest.raises(ChannelClosed):
        await channel.opened(deadline())
    assert channel.binding is None


async def test_a_path_that_the_policy_does_not_allow_ends_the_channel(bench, deadline, monkeypatch):
    peer, _, sdp = await bare_offer(bench)
    answer, channel = await bench.connector().answer(Description("webrtc", "offer", sdp), IcePolicy.LAN)
    bench.channels.append(channel)
    # As if the peer's address were one that nobody of this site has, and libwebrtc had taken it all the same.
    monkeypatch.setattr(Lan, "holds", lambda self, ip: False)
    await peer.set_remote_description(webrtc.RTCSessionDescriptionInit("answer", answer.sdp))
    with pytest.raises(ChannelClosed, match="is not allowed"):
        await channel.opened(deadline())


async def test_a_peer_that_shows_no_address_is_found_by_its_checks_and_has_no_path(bench, deadline):
    peer, inbox, sdp = await bare_offer(bench)
    hidden = "\r\n".join(line for line in sdp.split("\r\n") if not line.startswith("a=candidate"))
    answer, channel = await bench.connector().answer(Description("webrtc", "offer", hidden), IcePolicy.LAN)
    bench.channels.append(channel)
    await peer.set_remote_description(webrtc.RTCSessionDescriptionInit("answer", answer.sdp))
    await channel.opened(deadline())
    await channel.send("found")
    assert [await inbox.get(), await inbox.get()] == ["(open)", "found"]
    assert channel.path is None


async def test_public_candidates_are_not_handed_on_whether_they_come_in_time_or_late(bench):
    _, _, sdp = await bare_offer(bench)
    public = "candidate:9 1 udp 99 203.0.113.50 5000 typ host"
    _, channel = await bench.connector().answer(Description("webrtc", "offer", sdp, (Candidate(public),)), IcePolicy.LAN)
    bench.channels.append(channel)
    await channel.add_candidate(Candidate(public))
    await channel.add_candidate(Candidate("candidate:9 1 udp 99 somebody.local 5000 typ host"))
    assert "203.0.113.50" not in channel._session._connection.remote_description.sdp
    assert ".local" not in channel._session._connection.remote_description.sdp


async def test_a_candidate_of_the_site_is_handed_on(bench, until):
    _, _, sdp = await bare_offer(bench)
    _, channel = await bench.connector().answer(Description("webrtc", "offer", sdp), IcePolicy.LAN)
    bench.channels.append(channel)
    await channel.add_candidate(Candidate("candidate:9 1 udp 99 10.9.8.7 5000 typ host"))
    await until(lambda: "10.9.8.7 5000" in channel._session._connection.remote_description.sdp)


async def test_a_candidate_where_nobody_may_send_is_refused_before_anything_is_made(bench):
    _, _, sdp = await bare_offer(bench)
    with pytest.raises(BadDescription, match="nobody may be sent to"):
        await bench.connector().answer(
            Description("webrtc", "offer", sdp, (Candidate("candidate:1 1 udp 1 224.0.0.251 5353 typ host"),)), IcePolicy.LAN
        )


async def test_an_answer_that_nobody_takes_is_given_up_by_itself(bench, deadline, monkeypatch):
    monkeypatch.setattr(session, "CONNECT_CAP", 0.05)
    _, _, sdp = await bare_offer(bench)
    _, channel = await bench.connector().answer(Description("webrtc", "offer", sdp), IcePolicy.LAN)
    bench.channels.append(channel)
    with pytest.raises(ChannelClosed, match="no channel opened within"):
        await channel.opened(deadline())
