"""A whole node: its bounds, its end in every state, and what becomes of plugins that fail."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from messages import says

import hallway.runtime.links.links
import hallway.testing.memory.channel
import hallway.testing.memory.discovery
import hallway.testing.memory.signaling
from hallway.errors import ClosedError, NoSignalingError, SignalingUnavailable
from hallway.events import ErrorHappened, MessageReceived, PeerConnected, PeerDisconnected, PeerFound, PeerLost, SignalingMode
from hallway.model import Description, Gone, IcePolicy, PeerRecord, Refusal, RefusalCode, Seen
from hallway.protocol.frames import Message, Messages, decode


@pytest.fixture
async def nothing_is_left():
    """Every task that begins in the test has ended with it."""
    before = asyncio.all_tasks()
    yield
    async with asyncio.timeout(5):
        while asyncio.all_tasks() - before - {asyncio.current_task()}:
            await asyncio.sleep(0)


def failing_start(*outcomes):
    """A `start` of memory signaling that raises these first."""
    left, start = list(outcomes), hallway.testing.memory.signaling.MemorySignaling.start

    async def attempt(self, host):
        if left:
            raise left.pop(0)
        await start(self, host)

    return attempt


class TestStart:
    async def test_no_signaling_at_all_is_an_error_that_lists_every_attempt(self, make_device, monkeypatch, nothing_is_left):
        monkeypatch.setattr(
            hallway.testing.memory.signaling.MemorySignaling, "start", failing_start(SignalingUnavailable("all ports are taken"))
        )
        device = make_device()
        with pytest.raises(NoSignalingError) as caught:
            await device.connect()
        assert caught.value.attempts == {"memory": "all ports are taken"}
        with pytest.raises(ClosedError):
            await device.connect()

    async def test_a_plugin_that_crashes_at_its_start_is_no_signaling_either(self, make_device, monkeypatch, caplog, nothing_is_left):
        monkeypatch.setattr(hallway.testing.memory.signaling.MemorySignaling, "start", failing_start(ValueError("a bug")))
        device = make_device()
        async with asyncio.timeout(10):
            with pytest.raises(NoSignalingError, match="a bug"):
                await device.connect()
        assert "task signaling memory crashed" in caplog.text

    async def test_start_asks_for_nothing_and_says_what_is_wrong(self, make_device, monkeypatch, nothing_is_left):
        monkeypatch.setattr(hallway.testing.memory.signaling.MemorySignaling, "start", failing_start(SignalingUnavailable("taken")))
        device = make_device()
        await device.start()
        assert device.signaling_mode == "none"
        assert device.status()["signaling"] == [{"plugin": "memory", "up": False, "reason": "taken"}]
        await device.aclose()

    async def test_a_start_that_is_cancelled_leaves_nothing_behind(self, make_device, monkeypatch, nothing_is_left):
        async def never(*_):
            await asyncio.Event().wait()

        monkeypatch.setattr(hallway.testing.memory.signaling.MemorySignaling, "start", never)
        device = make_device()
        connecting = asyncio.create_task(device.connect())
        await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        with pytest.raises(ClosedError):
            device.status()

    async def test_the_mode_is_told_when_it_changes_and_only_then(self, device, events, hub):
        (carrier,) = device._node.signaling.carriers
        carrier.up(("memory://tablet-1", "memory://again"))
        carrier.down("the network is gone")
        assert await events.first(SignalingMode) == SignalingMode("none")
        assert (device.signaling_mode, device.listen) == ("none", ())
        carrier.up(("memory://tablet-1",))
        assert await events.first(SignalingMode) == SignalingMode("local")

    async def test_what_is_listened_to_is_advertised_and_withdrawn(self, device, hub):
        async def advertised(endpoints):
            async with asyncio.timeout(5):
                while (hub.records["tablet-1"].endpoints if "tablet-1" in hub.records else ()) != endpoints:
                    await asyncio.sleep(0)

        await advertised(("memory://tablet-1",))
        (carrier,) = device._node.signaling.carriers
        carrier.down("the network is gone")
        await advertised(())
        carrier.up(("memory://new",))
        await advertised(("memory://new",))

    async def test_a_crash_in_the_background_is_told_as_an_event(self, device, events, hub, monkeypatch):
        async def crash(*_):
            raise ValueError("a bug")

        monkeypatch.setattr(hallway.testing.memory.discovery.MemoryDiscovery, "advertise", crash)
        device._node.signaling.carriers[0].down("x")
        error = await events.first(ErrorHappened)
        assert (error.code, error.message) == ("internal", "advertise by memory: a bug")


class TestBounds:
    async def test_beyond_the_offers_that_may_be_answered_at_once_one_is_refused(self, device, stranger, monkeypatch):
        monkeypatch.setattr(hallway.runtime.links.links, "MAX_PENDING", 3)
        for number in range(3):
            await stranger(f"slow-{number}").dial("tablet-1")
        one = stranger("one-more")
        reply = await one.request("tablet-1", (await one.connector.dial(IcePolicy.LAN)).offer)
        assert isinstance(reply, Refusal)
        assert reply.code is RefusalCode.BUSY

    async def test_links_that_are_open_are_not_counted(self, device, stranger, monkeypatch):
        monkeypatch.setattr(hallway.runtime.links.links, "MAX_PENDING", 1)
        for number in range(3):
            await stranger(f"quick-{number}").link("tablet-1")
        await until_connected(device, 3)

    async def test_our_own_dials_are_not_counted(self, device, stranger, monkeypatch):
        monkeypatch.setattr(hallway.runtime.links.links, "MAX_PENDING", 1)
        for number in range(3):
            silent = stranger(f"zulu-{number}")
            silent.on_offer = lambda _: asyncio.Event().wait()
            silent.arrive()
            await silent.offers.get()
        await stranger("alpha").link("tablet-1")

    async def test_beyond_the_links_that_a_device_has_offers_are_refused_until_one_is_gone(self, device, stranger, monkeypatch):
        monkeypatch.setattr(hallway.runtime.links.links, "MAX_LINKS", 2)
        first = stranger("one")
        channel = await first.link("tablet-1")
        await stranger("two").link("tablet-1")
        three = stranger("three")
        reply = await three.request("tablet-1", (await three.connector.dial(IcePolicy.LAN)).offer)
        assert isinstance(reply, Refusal)
        assert reply.code is RefusalCode.BUSY
        await channel.aclose()
        await until_connected(device, 1)
        await three.link("tablet-1")

    async def test_sightings_beyond_the_bound_are_survived(self, device, events):
        (finder,) = device._node.finders
        for number in range(300):
            finder.report(Seen(PeerRecord(f"ghost-{number}", "property-123")))
        for number in range(300):
            finder.report(Gone(f"ghost-{number}"))
        async with asyncio.timeout(10):
            while device.status()["peers"]:
                await asyncio.sleep(0)


async def until_connected(device, count: int) -> None:
    async with asyncio.timeout(10):
        while len(device.connected_peers) != count:
            await asyncio.sleep(0)


class TestSightings:
    async def test_found_and_lost_are_told_and_an_open_link_lives_on(self, device, stranger, events):
        one = stranger()
        one.arrive()
        channel = await one.channels.get()
        await one.greet(channel, "tablet-1")
        assert await events.first(PeerFound) == PeerFound("stranger", "memory")
        await events.first(PeerConnected)
        one.hub.withdraw("stranger")
        assert await events.first(PeerLost) == PeerLost("stranger", "memory")
        await channel.send(says("still here"))
        assert (await events.first(MessageReceived)).message == "still here"
        (status,) = device.status()["peers"]
        assert status == {
            "peerId": "stranger",
            "open": True,
            "signaling": "memory",
            "channel": "memory",
            "state": "open",
            "path": None,
            "discovery": ["last-good"],
        }

    async def test_a_peer_without_an_endpoint_that_we_know_is_waited_for(self, device, stranger, events, caplog):
        caplog.set_level("INFO")
        (finder,) = device._node.finders
        finder.report(Seen(PeerRecord("stranger", "property-123", endpoints=("http://10.0.0.7:8090",))))
        link = device._node.links.get("stranger").link
        async with asyncio.timeout(10):
            while link.dial is not None:
                await asyncio.sleep(0)
        assert "memory: the peer has no endpoint for it" in caplog.text
        assert link.deadline is not None


class TestClose:
    async def test_while_dialing(self, make_device, stranger, nothing_is_left):
        one, cancelled = stranger("zulu"), asyncio.Event()

        async def never(_):
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        one.on_offer = never
        async with make_device():
            one.arrive()
            await one.offers.get()
        assert cancelled.is_set()

    async def test_while_an_offer_is_held(self, make_device, stranger, nothing_is_left):
        one = stranger("zulu")
        one.on_offer = lambda _: asyncio.Event().wait()
        async with make_device() as device:
            one.arrive()
            await one.offers.get()
            held = asyncio.create_task(one.request("tablet-1", (await one.connector.dial(IcePolicy.LAN)).offer))
            async with asyncio.timeout(10):
                while device._node.links.get("zulu").link.incoming is None:
                    await asyncio.sleep(0)
        reply = await held
        assert isinstance(reply, Refusal)
        assert reply.code is RefusalCode.CLOSING

    async def test_while_an_offer_is_answered(self, make_device, stranger, monkeypatch, nothing_is_left):
        begun, go = asyncio.Event(), asyncio.Event()
        answer = hallway.testing.memory.channel.MemoryConnector.answer

        async def slow(*arguments):
            begun.set()
            await go.wait()
            return await answer(*arguments)

        one = stranger()
        async with make_device():
            with monkeypatch.context() as patch:
                patch.setattr(hallway.testing.memory.channel.MemoryConnector, "answer", slow)
                asked = asyncio.create_task(one.request("tablet-1", Description("memory", "offer", "abc")))
                await begun.wait()
        go.set()
        reply = await asked
        assert isinstance(reply, Refusal)

    async def test_while_a_channel_opens_or_greets(self, make_device, stranger, nothing_is_left):
        one = stranger()
        async with make_device():
            await one.request("tablet-1", (await one.connector.dial(IcePolicy.LAN)).offer)
            greeting = await stranger("other").dial("tablet-1")
            await greeting.receive()

    async def test_offers_are_refused_from_then_on(self, make_device, stranger):
        async with make_device() as device:
            node = device._node
        reply = await node._handle(node.signaling.carriers[0], stranger().seal("tablet-1", Description("memory", "offer", "x")), None)
        assert isinstance(reply, Refusal)
        assert reply.code is RefusalCode.CLOSING

    async def test_messages_that_were_sent_arrive_before_the_end(self, make_device, stranger, nothing_is_left):
        async with make_device() as device:
            channel = await stranger().link("tablet-1")
            await until_connected(device, 1)
            for number in range(200):
                await device.send_to_peer("stranger", number)
        got = []
        with contextlib.suppress(Exception):
            while len(got) < 200:
                frame = decode(await channel.receive())
                got += [item.value for item in frame.items] if isinstance(frame, Messages) else []
        assert got == list(range(200))

    async def test_a_plugin_that_hangs_or_fails_does_not_keep_others_from_closing(self, make_device, monkeypatch, caplog):
        monkeypatch.setattr("hallway.runtime.node.CLOSE_SECONDS", 0.05)

        async def hang(self):
            await asyncio.Event().wait()

        async def fail(self):
            raise ValueError("a bug")

        closed = []

        async def note(self):
            closed.append("channel")

        monkeypatch.setattr(hallway.testing.memory.discovery.MemoryDiscovery, "aclose", hang)
        monkeypatch.setattr(hallway.testing.memory.signaling.MemorySignaling, "aclose", fail)
        monkeypatch.setattr(hallway.testing.memory.channel.MemoryConnector, "aclose", note)
        async with make_device():
            pass
        assert closed == ["channel"]
        assert caplog.text.count("closing did not end well") == 2

    async def test_addresses_that_cannot_be_saved_keep_no_listener_waiting(self, make_device, watch, monkeypatch, caplog):
        def fail(self):
            raise ValueError("a bug")

        monkeypatch.setattr("hallway.runtime.memory.AddressMemory.save", fail)
        async with make_device() as device:
            seen = watch(device)
        with pytest.raises(AssertionError, match="has closed"):
            await seen.first(PeerConnected)
        assert "closing did not end well" in caplog.text

    async def test_a_listener_may_close_its_own_device(self, make_device, stranger, nothing_is_left):
        device, done = make_device(), asyncio.Event()

        async def close(*_):
            await device.aclose()
            done.set()

        device.on("message", close)
        await device.connect()
        channel = await stranger().link("tablet-1")
        await channel.send(says("quit"))
        await done.wait()

    async def test_the_last_events_are_still_read(self, make_device, stranger, watch):
        async with make_device() as device:
            seen = watch(device)
            await stranger().link("tablet-1")
            await seen.first(PeerConnected)
        assert await seen.first(PeerDisconnected) == PeerDisconnected("stranger", "closed")


async def test_broadcast_goes_to_every_open_link_and_names_the_ids(device, stranger):
    strangers = {name: stranger(name) for name in ("a", "b")}
    channels = {name: await each.link("tablet-1") for name, each in strangers.items()}
    await until_connected(device, 2)
    ids = (await device.broadcast({"x": 1})).ids
    for name, channel in channels.items():
        assert await strangers[name].heard(channel) == Messages((Message(ids[name], {"x": 1}),))


async def test_a_reader_that_is_too_slow_slows_the_sender_down_and_loses_nothing(device, stranger, monkeypatch):
    monkeypatch.setattr("hallway.runtime.publishing.room.Room.limit", 100_000)
    channel = await stranger().link("tablet-1")
    await until_connected(device, 1)

    async def send_all() -> None:
        for number in range(100):
            await channel.send(says([number, "x" * 100_000]))

    sending = asyncio.create_task(send_all())
    async with asyncio.timeout(10):
        while not (device._publisher.room.crowded and channel.buffered > 1024 * 1024):
            await asyncio.sleep(0)
    assert not sending.done()
    inbox = device.messages()
    assert [(await anext(inbox))[1][0] for _ in range(100)] == list(range(100))
    await sending
    await inbox.aclose()
