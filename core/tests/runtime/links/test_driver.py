"""A device against a stranger that speaks by hand: what a peer may send, and what becomes of its link and of others."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from messages import says

import hallway.testing.memory.channel
import hallway.testing.memory.plugin
from hallway.errors import ChannelClosed, PeerUnavailable
from hallway.events import ErrorHappened, MessageReceived, PeerConnected, PeerDisconnected, PeerPath
from hallway.model import Candidate, Description, Envelope, IcePolicy, Origin, Path, PeerRecord, Refusal, RefusalCode
from hallway.protocol.attempt import Phase
from hallway.protocol.batches import message_ids
from hallway.protocol.frames import MOVED, Bye, Hello, Message, Messages, Pause, Ping, Pong, Resume, encode
from hallway.testing.memory.channel import MemoryChannel, MemoryConnector

ORIGIN = Origin("memory")
GARBAGE = [b"", b"\x00", b"\xff\xff", b"text", "text", b"\x10{", b"\x10" + b"[" * 100_000, b"\x03true", b"\x02NaN"]


async def until(holds) -> None:
    """Let others run until ``holds()``."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0)


async def closed(channel) -> None:
    """Wait until the device has closed its end, whatever it says before."""
    with contextlib.suppress(ChannelClosed):
        while True:
            await channel.receive()


class TestFrames:
    async def test_a_stranger_that_says_hello_is_linked_and_heard(self, device, stranger, events):
        one = stranger()
        channel = await one.link("tablet-1")
        connected = await events.first(PeerConnected)
        assert (connected.peer_id, connected.signaling, connected.channel) == ("stranger", "memory", "memory")
        await channel.send(says({"a": 1}, None))
        assert await events.first(MessageReceived) == MessageReceived("stranger", {"a": 1}, message_ids(7, 1, 1)[0])
        assert await events.first(MessageReceived) == MessageReceived("stranger", None, message_ids(7, 2, 1)[0])
        await channel.send(encode(Ping(7)))
        assert await one.heard(channel) == Pong(7)
        receipt = await device.send_to_peer("STRANGER", [1])
        assert await one.heard(channel) == Messages((Message(receipt.id, [1]),))

    async def test_bytes_pass_both_ways(self, device, stranger, events):
        one = stranger()
        channel = await one.link("tablet-1")
        await channel.send(says({"picture": b"\x00\xff"}))
        assert (await events.first(MessageReceived)).message == {"picture": b"\x00\xff"}
        receipt = await device.send_to_peer("stranger", b"\xff" * 1000)
        assert await one.heard(channel) == Messages((Message(receipt.id, b"\xff" * 1000),))

    @pytest.mark.parametrize("data", GARBAGE, ids=lambda data: repr(data)[:20])
    async def test_garbage_ends_that_link_and_leaves_others_alone(self, device, stranger, events, data):
        bad, good = await stranger("bad").link("tablet-1"), await stranger("good").link("tablet-1")
        await bad.send(data)
        assert await events.first(PeerDisconnected) == PeerDisconnected("bad", "protocol")
        await closed(bad)
        await good.send(says("still here"))
        assert (await events.first(MessageReceived)).message == "still here"
        assert device.connected_peers == ("good",)

    async def test_a_second_hello_ends_the_link(self, device, stranger, events):
        channel = await stranger().link("tablet-1")
        await channel.send(encode(Hello("stranger", "tablet-1", "e1")))
        assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "protocol")

    @pytest.mark.parametrize("frame", [encode(Ping(1)), encode(Bye()), says("x")], ids=["Ping", "Bye", "Messages"])
    async def test_a_frame_before_hello_ends_the_attempt_and_is_not_heard(self, device, stranger, events, frame):
        channel = await stranger("rude").dial("tablet-1")
        await channel.send(frame)
        await closed(channel)
        await stranger("polite").link("tablet-1")
        assert (await events.first(PeerConnected)).peer_id == "polite"
        assert device.connected_peers == ("polite",)

    @pytest.mark.parametrize(
        "change", [{"to": "other"}, {"sender": "other"}, {"sender": "tablet-1", "to": "stranger"}, {"versions": (2,)}], ids=str
    )
    async def test_a_hello_of_or_for_somebody_else_is_not_a_link(self, device, stranger, change):
        one = stranger()
        channel = await one.dial("tablet-1")
        await one.greet(channel, **({"to": "tablet-1"} | change))
        await closed(channel)
        assert device.connected_peers == ()

    async def test_bye_ends_the_link(self, device, stranger, events):
        channel = await stranger().link("tablet-1")
        await channel.send(encode(Bye()))
        assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "bye")

    async def test_a_channel_that_ends_ends_the_link(self, device, stranger, events):
        channel = await stranger().link("tablet-1")
        await channel.aclose()
        assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "closed")
        with pytest.raises(PeerUnavailable):
            await device.send_to_peer("stranger", "hello?", durable=False)

    async def test_messages_sent_before_the_end_of_a_channel_arrive(self, device, stranger, events):
        channel = await stranger().link("tablet-1")
        for number in range(100):
            await channel.send(says(number))
        await channel.aclose()
        assert [(await events.first(MessageReceived)).message for _ in range(100)] == list(range(100))

    async def test_closing_says_bye_after_everything_that_was_sent(self, make_device, hub, stranger):
        async with make_device("tablet-1") as device:
            one = stranger()
            channel = await one.link("tablet-1")
            await device.send_to_peer("stranger", "last words")
        heard = [await one.heard(channel), await one.heard(channel)]
        assert {type(frame) for frame in heard} == {Messages, Bye}
        with pytest.raises(ChannelClosed):
            await channel.receive()


class TestMoving:
    async def test_a_second_channel_of_the_same_life_moves_the_link(self, device, stranger, events):
        one = stranger()
        first = await one.link("tablet-1")
        second = await one.link("tablet-1", moves=True)
        assert await events.first(PeerPath) == PeerPath("stranger", "memory", "memory")
        assert await one.heard(first) == Bye(MOVED)
        await first.send(encode(Bye(MOVED)))
        await closed(first)
        await second.send(says("over the second"))
        assert (await events.first(MessageReceived)).message == "over the second"

    async def test_messages_keep_their_order_across_the_channels(self, device, stranger, events):
        """However late the old channel delivers."""
        one = stranger()
        first = await one.link("tablet-1")
        second = await one.link("tablet-1", moves=True)
        await events.first(PeerPath)
        await second.send(says(3))
        for number in (1, 2):
            for _ in range(100):
                await asyncio.sleep(0)
            await first.send(says(number))
        await first.send(encode(Bye(MOVED)))
        assert [(await events.first(MessageReceived)).message for _ in range(3)] == [1, 2, 3]

    @pytest.mark.parametrize("last_word", [True, False], ids=["moved", "closed"])
    async def test_the_new_channel_is_read_as_soon_as_the_old_one_has_ended(self, device, stranger, events, last_word):
        one = stranger()
        first = await one.link("tablet-1")
        second = await one.link("tablet-1", moves=True)
        await events.first(PeerPath)
        await second.send(says("over the second"))
        await first.send(says("sent before the move was noticed"))
        await (first.send(encode(Bye(MOVED))) if last_word else first.aclose())
        heard = [(await events.first(MessageReceived)).message for _ in range(2)]
        assert heard == ["sent before the move was noticed", "over the second"]
        assert device.connected_peers == ("stranger",)

    async def test_what_an_old_channel_says_too_late_is_not_heard(self, device, stranger, events, monkeypatch):
        monkeypatch.setattr("hallway.protocol.fading.MOVE_PATIENCE", 0.01)
        one = stranger()
        first = await one.link("tablet-1")
        second = await one.link("tablet-1", moves=True)
        await events.first(PeerPath)
        await second.send(says(2))
        assert (await events.first(MessageReceived)).message == 2
        with contextlib.suppress(ChannelClosed):
            await first.send(says(1))
        await second.send(says(3))
        assert (await events.first(MessageReceived)).message == 3

    async def test_a_peer_that_has_lost_the_link_goes_down_and_up(self, device, stranger, events):
        """What it did not hear was lost, and both ends are to know."""
        one = stranger()
        await one.link("tablet-1")
        await one.link("tablet-1")
        assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "address-changed")
        assert (await events.first(PeerConnected)).peer_id == "stranger"

    async def test_a_link_that_moves_closes_at_once(self, make_device, hub, stranger):
        one = stranger()
        async with make_device("tablet-1"):
            first = await one.link("tablet-1")
            second = await one.link("tablet-1", moves=True)
            assert await one.heard(first) == Bye(MOVED)
        await closed(first)
        await closed(second)

    async def test_a_second_channel_that_says_nothing_right_leaves_the_first_alone(self, device, stranger, events):
        one = stranger()
        first, second = await one.link("tablet-1"), await one.dial("tablet-1")
        await second.send(b"nonsense")
        await closed(second)
        await first.send(says("over the first"))
        assert (await events.first(MessageReceived)).message == "over the first"

    async def test_a_new_life_takes_the_link_over(self, device, stranger, events):
        await stranger(epoch="e1").link("tablet-1")
        await stranger(epoch="e2").link("tablet-1")
        assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "restarted")
        assert (await events.first(PeerConnected)).peer_id == "stranger"


class TestOffers:
    async def test_the_device_dials_who_comes_into_sight(self, device, stranger, events):
        one = stranger()
        one.arrive()
        channel = await one.channels.get()
        assert isinstance(await one.greet(channel, "tablet-1"), Hello)
        assert (await events.first(PeerConnected)).peer_id == "stranger"

    async def test_an_offer_under_glare_is_held_and_refused_once_ours_has_worked(self, device, stranger, events):
        one, answered = stranger("zulu"), asyncio.Event()

        async def answer_later(signal):
            await answered.wait()
            return await one.answer_at_once(signal)

        one.on_offer = answer_later
        one.arrive()
        await one.offers.get()
        offer = (await one.connector.dial(IcePolicy.LAN)).offer
        held = asyncio.create_task(one.request("tablet-1", offer))
        answered.set()
        await one.greet(await one.channels.get(), "tablet-1")
        reply = await held
        assert isinstance(reply, Refusal)
        assert reply.code is RefusalCode.GLARE
        assert (await events.first(PeerConnected)).peer_id == "zulu"

    async def test_an_offer_under_glare_is_answered_once_ours_has_failed(self, device, stranger):
        one, refused = stranger("zulu"), asyncio.Event()

        async def refuse_later(_):
            await refused.wait()
            return Refusal(RefusalCode.BUSY, "not now")

        one.on_offer = refuse_later
        one.arrive()
        await one.offers.get()
        dial = asyncio.create_task(one.link("tablet-1"))
        refused.set()
        await dial
        assert device.connected_peers == ("zulu",)

    async def test_the_higher_id_drops_its_own_offer_and_answers(self, device, stranger, events):
        one, cancelled = stranger("alpha"), asyncio.Event()

        async def never(_):
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        one.on_offer = never
        one.arrive()
        await one.offers.get()
        await one.link("tablet-1")
        await cancelled.wait()
        assert (await events.first(PeerConnected)).peer_id == "alpha"

    async def test_a_requester_that_goes_away_leaves_nothing_behind(self, device, stranger):
        one = stranger("zulu")
        one.on_offer = lambda _: asyncio.Event().wait()
        one.arrive()
        await one.offers.get()
        held = asyncio.create_task(one.request("tablet-1", (await one.connector.dial(IcePolicy.LAN)).offer))
        link = device._node.links.get("zulu").link
        await until(lambda: link.incoming is not None)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        assert link.incoming is None
        assert link.dial is not None

    @pytest.mark.parametrize(
        ("description", "code"),
        [
            (Description("memory", "offer", "not a token!"), RefusalCode.BAD_DESCRIPTION),
            (Description("webrtc", "offer", "v=0"), RefusalCode.UNSUPPORTED_KIND),
        ],
    )
    async def test_an_offer_that_cannot_be_answered_is_refused(self, device, stranger, description, code):
        reply = await stranger().request("tablet-1", description)
        assert isinstance(reply, Refusal)
        assert reply.code is code

    async def test_what_cannot_be_read_is_refused(self, device, hub):
        reply = await hub.listeners["tablet-1"].handle(Envelope("offer", "text/plain", b"\xff"), None)
        assert isinstance(reply, Refusal)
        assert reply.code is RefusalCode.BAD_REQUEST

    @pytest.mark.parametrize("error", [ValueError("a bug"), ChannelClosed("closing")], ids=["bug", "known"])
    async def test_a_channel_plugin_that_fails_gives_a_refusal_and_the_next_offer_works(self, device, stranger, monkeypatch, error):
        async def fail(*_):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(hallway.testing.memory.channel.MemoryConnector, "answer", fail)
            reply = await stranger().request("tablet-1", Description("memory", "offer", "abc"))
        assert isinstance(reply, Refusal)
        assert reply.code in (RefusalCode.INTERNAL, RefusalCode.BUSY)
        await stranger().link("tablet-1")


class TestLateAnswers:
    async def test_an_answer_that_comes_by_itself_opens_the_link(self, device, stranger, events):
        one = stranger()

        async def only_accept(signal):
            return Envelope.accepted()

        one.on_offer = only_accept
        one.arrive()
        signal = await one.offers.get()
        answer, channel = await one.connector.answer(signal.description, IcePolicy.LAN)
        assert await one.request("tablet-1", answer) == Envelope.accepted()
        assert isinstance(await one.greet(channel, "tablet-1"), Hello)
        assert (await events.first(PeerConnected)).peer_id == "stranger"

    async def test_an_answer_that_overtakes_the_response_counts_too(self, device, stranger, events):
        one = stranger()
        done = asyncio.Event()

        async def answer_before_the_response(signal):
            answer, channel = await one.connector.answer(signal.description, IcePolicy.LAN)
            one.channels.put_nowait(channel)
            await one.request("tablet-1", answer)
            done.set()
            return Envelope.accepted()

        one.on_offer = answer_before_the_response
        one.arrive()
        await done.wait()
        await one.greet(await one.channels.get(), "tablet-1")
        assert (await events.first(PeerConnected)).peer_id == "stranger"

    @pytest.mark.parametrize("content", [Description("memory", "answer", "x"), Candidate("candidate:1")], ids=["answer", "candidate"])
    async def test_what_nobody_waits_for_is_not_found(self, device, stranger, content):
        reply = await stranger().request("tablet-1", content)
        assert isinstance(reply, Refusal)
        assert reply.code is RefusalCode.NOT_FOUND

    async def test_a_second_late_answer_is_not_found(self, device, stranger):
        one = stranger()
        waiting = asyncio.Event()

        async def only_accept(_):
            await waiting.wait()
            return Envelope.accepted()

        one.on_offer = only_accept
        one.arrive()
        signal = await one.offers.get()
        answer, _ = await one.connector.answer(signal.description, IcePolicy.LAN)
        assert await one.request("tablet-1", answer) == Envelope.accepted()
        second = await one.request("tablet-1", answer)
        assert isinstance(second, Refusal)
        assert second.code is RefusalCode.NOT_FOUND
        waiting.set()


class TestTrickling:
    @pytest.fixture
    def taken(self, monkeypatch):
        """The candidates that reach a channel, and a queue of descriptions that were accepted."""
        seen: list[Candidate] = []

        async def take(_, candidate):
            seen.append(candidate)

        monkeypatch.setattr(hallway.testing.memory.channel.MemoryChannel, "add_candidate", take)
        return seen

    async def test_candidates_after_the_answer_reach_the_channel(self, device, stranger, taken):
        one = stranger()
        channel = await one.dial("tablet-1")
        assert await one.request("tablet-1", Candidate("candidate:1")) == Envelope.accepted()
        await one.greet(channel, "tablet-1")
        assert taken == [Candidate("candidate:1")]

    async def test_candidates_before_the_answer_are_kept_for_the_channel(self, device, stranger, taken):
        one, refused = stranger("zulu"), asyncio.Event()

        async def refuse_later(_):
            await refused.wait()
            return Refusal(RefusalCode.BUSY, "not now")

        one.on_offer = refuse_later
        one.arrive()
        await one.offers.get()
        dial = asyncio.create_task(one.link("tablet-1"))
        await until(lambda: device._node.links.get("zulu").link.incoming is not None)
        for number in range(3):
            assert await one.request("tablet-1", Candidate(f"candidate:{number}")) == Envelope.accepted()
        refused.set()
        await dial
        assert taken == [Candidate(f"candidate:{number}") for number in range(3)]

    async def test_candidates_before_a_late_answer_are_taken_with_it(self, device, stranger, monkeypatch):
        answers: list[Description] = []
        accept = hallway.testing.memory.channel.MemoryDialing.accept

        async def note(dialing, answer):
            answers.append(answer)
            return await accept(dialing, answer)

        monkeypatch.setattr(hallway.testing.memory.channel.MemoryDialing, "accept", note)
        one = stranger()

        async def only_accept(_):
            return Envelope.accepted()

        one.on_offer = only_accept
        one.arrive()
        signal = await one.offers.get()
        answer, channel = await one.connector.answer(signal.description, IcePolicy.LAN)
        await one.request("tablet-1", Candidate("candidate:early"))
        await one.request("tablet-1", answer)
        await one.greet(channel, "tablet-1")
        assert [each.candidates for each in answers] == [(Candidate("candidate:early"),)]


class TestTheSeedsDevices:
    """A device that does not speak hallway: plain JSON texts, no frame ever."""

    @pytest.fixture(autouse=True)
    def seed_kind(self, monkeypatch):
        """The seed's offers name no kind, which means webrtc: let the memory plugin go by that name."""
        monkeypatch.setattr(hallway.testing.memory.channel, "KIND", "webrtc")
        monkeypatch.setattr(hallway.testing.memory.plugin, "KIND", "webrtc")

    @pytest.fixture
    async def seed(self, device, stranger, events):
        channel = await stranger(marked=False).dial("tablet-1")
        assert (await events.first(PeerConnected)).peer_id == "stranger"
        return channel

    async def test_connected_means_that_the_channel_is_open_and_both_talk_plain_json(self, device, seed, events):
        await seed.send('{"type": "room-update", "data": {"roomId": "101"}}')
        received = await events.first(MessageReceived)
        assert received.message == {"type": "room-update", "data": {"roomId": "101"}}
        assert received.id
        await device.send_to_peer("stranger", {"é": [1, None]})
        assert await seed.receive() == '{"é":[1,null]}'

    async def test_garbage_is_told_and_the_link_lives(self, device, seed, events):
        await seed.send("not json")
        error = await events.first(ErrorHappened)
        assert error.code == "bad-message"
        assert "stranger" in error.message
        await seed.send("[1]")
        assert (await events.first(MessageReceived)).message == [1]

    async def test_json_in_a_binary_message_is_a_message(self, device, seed, events):
        await seed.send(json.dumps(["é"]).encode())
        assert (await events.first(MessageReceived)).message == ["é"]

    async def test_what_looks_like_a_frame_is_none(self, device, seed, events):
        await seed.send(encode(Bye()))
        assert (await events.first(ErrorHappened)).code == "bad-message"
        assert device.connected_peers == ("stranger",)

    async def test_closing_sends_no_frame(self, make_device, hub, stranger, watch):
        async with make_device("tablet-2") as device:
            seen = watch(device)
            channel = await stranger(marked=False).dial("tablet-2")
            await seen.first(PeerConnected)
            await device.send_to_peer("stranger", "last words")
        assert await channel.receive() == '"last words"'
        with pytest.raises(ChannelClosed):
            await channel.receive()

    async def test_it_is_answered_under_glare_whichever_id_is_lower(self, device, stranger, events):
        one = stranger("zulu", marked=False)
        one.on_offer = lambda _: asyncio.Event().wait()
        one.arrive()
        await one.offers.get()
        await one.dial("tablet-1")
        assert (await events.first(PeerConnected)).peer_id == "zulu"


class TestDuplicates:
    """One offer that arrives more than once."""

    async def test_it_is_answered_alike_and_leads_to_one_channel(self, device, stranger, events):
        one = stranger()
        dialing = await one.connector.dial(IcePolicy.LAN)
        first, second = await asyncio.gather(one.request("tablet-1", dialing.offer), one.request("tablet-1", dialing.offer))
        assert first == second
        signal = one.guard.open(first, ORIGIN, 0.0)
        channel = await dialing.accept(signal.description)
        await one.greet(channel, "tablet-1")
        await events.first(PeerConnected)
        assert await one.request("tablet-1", dialing.offer) == first
        await channel.send(says("still the one"))
        assert (await events.first(MessageReceived)).message == "still the one"

    async def test_a_requester_that_goes_does_not_take_the_answer_from_another_one(self, device, stranger, monkeypatch):
        one, go = stranger(), asyncio.Event()
        answer = MemoryConnector.answer

        async def slowly(self, offer, policy):
            await go.wait()
            return await answer(self, offer, policy)

        monkeypatch.setattr(MemoryConnector, "answer", slowly)
        dialing = await one.connector.dial(IcePolicy.LAN)
        asked = [asyncio.create_task(one.request("tablet-1", dialing.offer)) for _ in range(2)]
        for _ in range(5):
            await asyncio.sleep(0)
        asked[0].cancel()
        await asyncio.wait([asked[0]])
        go.set()
        assert isinstance(await asked[1], Envelope)

    async def test_when_every_requester_has_gone_nothing_is_left_of_it(self, device, stranger, monkeypatch):
        one, began = stranger(), asyncio.Event()

        async def never(self, offer, policy):
            began.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(MemoryConnector, "answer", never)
        dialing = await one.connector.dial(IcePolicy.LAN)
        asked = asyncio.create_task(one.request("tablet-1", dialing.offer))
        await began.wait()
        asked.cancel()
        await asyncio.wait([asked])
        assert device._node.links.get("stranger").link.incoming is None


class TestAddresses:
    """What follows from where offers come from, and from the addresses of this device."""

    async def test_only_the_offer_that_came_from_an_address_is_vouched_for_by_it(self, device, stranger, hub, events):
        one = stranger()
        one.arrive()
        await one.greet(await one.channels.get(), "tablet-1")
        await events.first(PeerConnected)
        link = device._node.links.get("stranger").link
        offer = (await one.connector.dial(IcePolicy.LAN)).offer
        asked = asyncio.create_task(one.hub.listeners["tablet-1"].handle(one.seal("tablet-1", offer), Origin("memory", "moved")))
        await until(lambda: link.incoming is not None)
        other = stranger(epoch="e9")
        theirs = (await other.connector.dial(IcePolicy.LAN)).offer
        refused = await hub.listeners["tablet-1"].handle(other.seal("tablet-1", theirs), Origin("memory", "other"))
        assert refused.code is RefusalCode.FORBIDDEN
        hub.advertise(PeerRecord("stranger", "property-123", endpoints=("memory://other",), epoch="e1"))
        await asyncio.sleep(0)
        assert link.incoming.phase is Phase.HELD
        hub.advertise(PeerRecord("stranger", "property-123", endpoints=("memory://moved",), epoch="e1"))
        assert isinstance(await asked, Envelope)

    @pytest.mark.parametrize("distant", [True, False])
    async def test_a_channel_whose_local_address_may_be_a_relays_is_asked_for_life_and_not_ended(
        self, device, stranger, events, monkeypatch, distant
    ):
        one = stranger()
        channel = await one.link("tablet-1")
        await events.first(PeerConnected)
        monkeypatch.setattr(MemoryChannel, "path", Path("203.0.113.9", "10.0.0.2", distant=distant))
        device._node.links.readdressed({"10.0.0.1"})
        if distant:
            assert isinstance(await one.heard(channel), Ping)
            assert device.connected_peers == ("stranger",)
        else:
            assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "address-changed")


class TestRoom:
    async def test_a_device_whose_application_does_not_read_asks_its_peer_to_pause_and_then_to_resume(self, device, stranger, monkeypatch):
        monkeypatch.setattr("hallway.runtime.publishing.room.Room.limit", 10_000)
        one = stranger()
        channel = await one.link("tablet-1")
        await channel.send(says("x" * 20_000))
        while not isinstance(await one.heard(channel), Pause):
            pass
        await channel.send(encode(Ping(7)))
        while await one.heard(channel) != Pong(7):
            pass
        reader = device.messages()
        assert (await anext(reader))[1] == "x" * 20_000
        while not isinstance(await one.heard(channel), Resume):
            pass
        await reader.aclose()

    async def test_a_peer_that_does_not_pause_is_not_read_any_more(self, device, stranger, monkeypatch):
        monkeypatch.setattr("hallway.runtime.publishing.room.Room.limit", 10_000)
        monkeypatch.setattr("hallway.runtime.links.conversation.SURPLUS_BYTES", 10_000)
        one = stranger()
        channel = await one.link("tablet-1")
        for _ in range(200):
            await channel.send(says("x" * 1000))
        while not isinstance(await one.heard(channel), Pause):
            pass
        for _ in range(2000):
            await asyncio.sleep(0)
        assert channel.buffered > 100_000

    async def test_a_device_pauses_when_its_peer_asks_for_it(self, device, stranger):
        one = stranger()
        channel = await one.link("tablet-1")
        await channel.send(encode(Pause()))
        await channel.send(encode(Ping(1)))
        while await one.heard(channel) != Pong(1):
            pass
        await device.send_to_peer("stranger", "later")
        await channel.send(encode(Ping(2)))
        while not isinstance(frame := await one.heard(channel), Pong):
            assert not isinstance(frame, Messages)
        await channel.send(encode(Resume()))
        while not isinstance(await one.heard(channel), Messages):
            pass
