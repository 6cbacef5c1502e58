"""Two whole devices in one process, over the memory plugins: the seed's API and what a link promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from durable_devices import running

from hallway import Peer, create_peer, load_config
from hallway.errors import BadMessage, ClosedError, MessageTooLarge, MisuseError, PeerUnavailable, PluginError
from hallway.events import ErrorHappened, MessageReceived, PeerConnected, PeerDisconnected, PeerFound
from hallway.testing.memory.hub import hub_named


def memory_peer(device_id: str, hub: str, property_id: str = "property-123") -> Peer:
    settings = [
        "security=open",
        f"device.id={device_id}",
        f"device.property={property_id}",
        'discovery.chain=["memory"]',
        'signaling.chain=["memory"]',
        'channel.chain=["memory"]',
        f"plugins.memory.hub={hub}",
    ]
    return create_peer(load_config(overrides=settings, environ={}))


async def first(peer_events: AsyncIterator[object], kind: type) -> object:
    async with asyncio.timeout(5):
        async for event in peer_events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__}")


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> str:
    return request.node.name


async def test_two_devices_find_each_other_link_and_talk_both_ways(hub: str) -> None:
    a, b = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub)
    events_a, events_b = a.events(), b.events()
    async with running(a, b):
        found = await first(events_a, PeerFound)
        connected = await first(events_a, PeerConnected)
        await first(events_b, PeerConnected)
        await a.send_to_peer("tablet-2", {"type": "room-update", "data": {"roomId": "101"}})
        await b.broadcast(["towels", 50])
        at_b = await first(events_b, MessageReceived)
        at_a = await first(events_a, MessageReceived)

    assert found == PeerFound("tablet-2", "memory")
    assert isinstance(connected, PeerConnected)
    assert (connected.peer_id, connected.signaling, connected.channel) == ("tablet-2", "memory", "memory")
    assert connected.ms >= 0
    assert isinstance(at_b, MessageReceived)
    assert at_b.message == {"type": "room-update", "data": {"roomId": "101"}}
    assert isinstance(at_a, MessageReceived)
    assert at_a.message == ["towels", 50]


async def test_signaling_mode_is_local_while_the_plugin_is_up(hub: str) -> None:
    a = memory_peer("tablet-1", hub)
    assert a.signaling_mode == "none"
    async with a:
        assert a.signaling_mode == "local"
        assert a.listen == ("memory://tablet-1",)


async def test_listeners_get_messages_and_links_under_the_names_of_the_seed(hub: str) -> None:
    a, b = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub)
    got: list[tuple[str, object]] = []
    done = asyncio.Event()

    async def on_message(peer_id: str, message: object) -> None:
        got.append((peer_id, message))
        done.set()

    connected: list[str] = []
    b.on("message", on_message)
    b.on("peer-connected", connected.append)
    events_a = a.events()
    async with running(a, b):
        await first(events_a, PeerConnected)
        await a.broadcast("hello")
        async with asyncio.timeout(5):
            await done.wait()

    assert got == [("tablet-1", "hello")]
    assert connected == ["tablet-1"]


async def test_messages_that_came_before_a_reader_are_kept(hub: str) -> None:
    a, b = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub)
    events_a, links_b = a.events(), asyncio.Event()
    b.on("peer-connected", lambda _: links_b.set())
    async with running(a, b):
        await first(events_a, PeerConnected)
        for number in range(100):
            await a.send_to_peer("tablet-2", number)
        await links_b.wait()
        async with asyncio.timeout(5):
            inbox = b.messages()
            got = [await anext(inbox) for _ in range(100)]

    assert got == [("tablet-1", number) for number in range(100)]


async def test_devices_of_different_properties_never_link(hub: str) -> None:
    a, b = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub, "another")
    async with running(a, b):
        with pytest.raises(PeerUnavailable):
            await a.send_to_peer("tablet-2", "hello")
        assert a.connected_peers == ()
        assert a.status()["peers"] == []


async def test_closing_says_bye_and_returns_everything(hub: str) -> None:
    before = asyncio.all_tasks()
    a, b = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub)
    events_a = a.events()
    async with running(a):
        async with running(b):
            await first(events_a, PeerConnected)
        gone = await first(events_a, PeerDisconnected)
        assert a.connected_peers == ()
    await b.aclose()

    assert gone == PeerDisconnected("tablet-2", "bye")
    assert asyncio.all_tasks() == before
    assert hub_named(hub).records == {}


async def test_a_device_that_restarts_is_linked_again(hub: str) -> None:
    a = memory_peer("tablet-1", hub)
    events_a = a.events()
    async with running(a):
        for _ in range(3):
            async with running(memory_peer("tablet-2", hub)):
                await first(events_a, PeerConnected)
            await first(events_a, PeerDisconnected)


async def test_bad_messages_are_refused_and_harm_nothing(hub: str) -> None:
    a, b = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub)
    events_a, events_b = a.events(), b.events()
    async with running(a, b):
        await first(events_a, PeerConnected)
        with pytest.raises(BadMessage):
            await a.send_to_peer("tablet-2", object())
        with pytest.raises(BadMessage):
            await a.send_to_peer("tablet-2", float("nan"))
        with pytest.raises(MessageTooLarge):
            await a.send_to_peer("tablet-2", "x" * 17_000_000)
        await a.send_to_peer("tablet-2", "still here")
        received = await first(events_b, MessageReceived)

    assert isinstance(received, MessageReceived)
    assert received.message == "still here"


async def test_misuse_is_named(hub: str) -> None:
    a = memory_peer("tablet-1", hub)
    with pytest.raises(ClosedError, match="not running"):
        await a.send_to_peer("tablet-2", 1)
    async with a:
        with pytest.raises(MisuseError, match="started before"):
            await a.connect()
    with pytest.raises(ClosedError, match="was closed"):
        await a.connect()
    await a.aclose()


async def test_fifty_starts_at_the_same_instant_give_one_link_each(hub: str) -> None:
    for attempt in range(50):
        a, b = memory_peer("tablet-1", f"{hub}-{attempt}"), memory_peer("tablet-2", f"{hub}-{attempt}")
        events_a, events_b = a.events(), b.events()
        await asyncio.gather(a.connect(), b.connect())
        await first(events_a, PeerConnected)
        await first(events_b, PeerConnected)
        await asyncio.gather(a.aclose(), b.aclose())
        more = [event async for event in events_a if isinstance(event, PeerConnected)]
        assert more == []


def test_a_chain_of_which_no_plugin_works_is_refused_with_the_plugin_to_blame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_channel.py").write_text("import a_module_that_is_not_there\n")
    info = tmp_path / "broken_channel-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-channel\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hallway.channel]\nbroken = broken_channel\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = ["security=open", "device.id=a", "device.property=p", 'signaling.chain=["memory"]', 'discovery.chain=["memory"]']

    with pytest.raises(PluginError, match=r"broken-channel 1\.0.*a_module_that_is_not_there"):
        create_peer(load_config(overrides=[*settings, 'channel.chain=["broken"]'], environ={}))


async def test_a_plugin_that_does_not_work_is_an_error_event_and_the_rest_of_its_chain_goes_on(
    hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_signaling.py").write_text("raise RuntimeError('born broken')\n")
    info = tmp_path / "broken_signaling-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-signaling\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hallway.signaling]\nbroken = broken_signaling\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = ["security=open", "device.id=a", "device.property=p", 'discovery.chain=["memory"]', 'channel.chain=["memory"]']
    peer = create_peer(load_config(overrides=[*settings, 'signaling.chain=["broken", "memory"]', f"plugins.memory.hub={hub}"], environ={}))
    events = peer.events()
    async with peer:
        error = await first(events, ErrorHappened)
        assert peer.signaling_mode == "local"

    assert isinstance(error, ErrorHappened)
    assert error.code == "plugin"
    assert "born broken" in error.message


async def test_what_was_sent_before_closing_arrives_before_the_bye(hub: str) -> None:
    a, b = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub)
    events_a, events_b = a.events(), b.events()
    async with running(b):
        async with running(a):
            await first(events_a, PeerConnected)
            await first(events_b, PeerConnected)
            for number in range(8):
                await a.send_to_peer("tablet-2", [number, "x" * 60_000], durable=False)
        got = []
        async with asyncio.timeout(5):
            async for event in events_b:
                if isinstance(event, MessageReceived):
                    got.append(event.message[0])
                if isinstance(event, PeerDisconnected):
                    break

    assert got == list(range(8))
    assert event == PeerDisconnected("tablet-1", "bye")


async def test_what_was_stored_before_closing_arrives_though_nothing_is_on_disk(hub: str) -> None:
    a, b = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub)
    events_a, inbox = a.events(), b.messages()
    async with running(b):
        async with running(a):
            await first(events_a, PeerConnected)
            for number in range(8):
                await a.send_to_peer("tablet-2", [number, "x" * 60_000])
        async with asyncio.timeout(5):
            assert [(await anext(inbox))[1][0] for _ in range(8)] == list(range(8))


async def test_a_cancelled_close_closes_all_the_same_and_every_closer_waits_for_the_end(hub: str) -> None:
    before = asyncio.all_tasks()
    a = memory_peer("tablet-1", hub)
    await a.connect()
    closers = [asyncio.ensure_future(a.aclose()) for _ in range(3)]
    await asyncio.sleep(0)
    closers[0].cancel()
    outcomes = await asyncio.gather(*closers, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, type(None), type(None)]
    assert asyncio.all_tasks() == before
    assert hub_named(hub).listeners == {}


async def test_a_listener_may_close_its_own_peer(hub: str) -> None:
    a, b = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub)
    closed = asyncio.Event()

    async def close(_: str) -> None:
        await a.aclose()
        closed.set()

    a.on("peer-connected", close)
    async with running(b):
        await a.connect()
        async with asyncio.timeout(5):
            await closed.wait()


async def test_closing_right_after_connecting_is_no_error(hub: str, caplog: pytest.LogCaptureFixture) -> None:
    a = memory_peer("tablet-1", hub)
    events = a.events()
    await a.connect()
    await a.aclose()

    assert [event async for event in events if isinstance(event, ErrorHappened)] == []
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_event_of_an_unknown_name_is_refused(hub: str) -> None:
    with pytest.raises(MisuseError, match="peer-conected") as caught:
        memory_peer("tablet-1", hub).on("peer-conected", print)
    assert "peer-connected" in caught.value.hint


async def test_an_inbox_that_nobody_holds_any_more_holds_up_nobody(hub: str) -> None:
    a, b = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub)
    b.messages()
    events_a, got = a.events(), []
    done = asyncio.Event()

    def count(_: str, message: object) -> None:
        got.append(message)
        if message == "last":
            done.set()

    b.on("message", count)
    async with running(a, b):
        await first(events_a, PeerConnected)
        for _ in range(100):
            await a.send_to_peer("tablet-2", "x" * 200_000)
        await a.send_to_peer("tablet-2", "last")
        async with asyncio.timeout(10):
            await done.wait()

    assert len(got) == 101


async def test_two_devices_of_one_id_leave_the_first_its_link_and_are_told(hub: str) -> None:
    a, b, twin = memory_peer("tablet-1", hub), memory_peer("tablet-2", hub), memory_peer("tablet-2", hub)
    events_a = a.events()
    async with running(a, b):
        await first(events_a, PeerConnected)
        hub_of_b = hub_named(hub)
        record = hub_of_b.records["tablet-2"]
        async with running(twin):
            hub_of_b.advertise(record)
            error = await first(events_a, ErrorHappened)
            assert a.connected_peers == ("tablet-1",) or a.connected_peers == ("tablet-2",)

    assert isinstance(error, ErrorHappened)
    assert error.code == "duplicate-device-id"
