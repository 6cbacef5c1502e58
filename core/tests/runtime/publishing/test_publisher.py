from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from hallway.events import (
    ErrorHappened,
    Event,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
    PeerFound,
    PeerLost,
    PeerPath,
    SignalingMode,
)
from hallway.runtime.publishing.handling import Handling
from hallway.runtime.publishing.publisher import EVENT_BYTES, Publisher
from hallway.runtime.publishing.readers import EventReader, MessageReader
from hallway.runtime.publishing.room import Room


class Noted(Handling):
    """Notes its number once all have dealt with its message."""

    def __init__(self, done, number):
        super().__init__()
        self.done, self.number = done, number

    def dealt_with(self, reason):
        self.done.append(self.number)


class Hook:
    """Every call of an observer hook."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict]] = []

    def __getattr__(self, name):
        return lambda **arguments: self.calls.append((name, arguments))


@pytest.fixture
def hook():
    return Hook()


@pytest.fixture
def publisher(hook):
    return Publisher(hook, observes_messages=False)


def message(number: int) -> MessageReceived:
    return MessageReceived("tablet-2", number, f"id-{number}")


def soon(seconds: float = 1.0) -> float:
    return asyncio.get_running_loop().time() + seconds


def events(publisher: Publisher, wants: Callable[[Event], bool] = lambda _: True) -> EventReader:
    return EventReader(publisher.subscribe(wants))


def messages(publisher: Publisher) -> MessageReader:
    return MessageReader(publisher.subscribe(lambda _: True))


EVENTS = [
    SignalingMode("local"),
    PeerFound("tablet-2", "mdns"),
    PeerConnected("tablet-2", "http-local", "aiortc", 1.5),
    message(1),
    PeerPath("tablet-2", "http-local", "aiortc"),
    PeerDisconnected("tablet-2", "bye"),
    PeerLost("tablet-2", "mdns"),
    ErrorHappened("bad-message", "text", "hint"),
]


async def test_every_subscription_gets_everything_it_wants_in_order_and_ends(publisher):
    one, other = events(publisher), events(publisher, lambda event: isinstance(event, PeerFound | PeerLost))
    for event in EVENTS:
        publisher.publish(event)
    await publisher.aclose(soon())
    assert [event async for event in one] == EVENTS
    assert [event async for event in other] == [EVENTS[1], EVENTS[6]]


async def test_listeners_get_the_arguments_of_the_seed(publisher):
    got = []
    for name in {event.name for event in EVENTS}:
        publisher.on(name, lambda *arguments, name=name: got.append((name, arguments)))
    for event in EVENTS:
        publisher.publish(event)
    assert got == [
        ("signaling-mode", ("local",)),
        ("peer-found", ("tablet-2",)),
        ("peer-connected", ("tablet-2",)),
        ("message", ("tablet-2", 1)),
        ("peer-path", ("tablet-2",)),
        ("peer-disconnected", ("tablet-2",)),
        ("peer-lost", ("tablet-2",)),
        ("error", (EVENTS[-1],)),
    ]


async def test_observers_are_told_and_of_messages_only_if_one_wants_them(hook):
    for observes in (False, True):
        publisher = Publisher(hook, observes_messages=observes)
        for event in EVENTS:
            publisher.publish(event)
        publisher.sent("tablet-2", "id-2", "out")
    names = [name for name, _ in hook.calls]
    links = ["hallway_peer_found", "hallway_link_changed", "hallway_link_changed", "hallway_peer_lost"]
    assert names[:4] == links
    assert names[4:] == [*links[:2], "hallway_message_in", *links[2:], "hallway_message_out"]
    assert hook.calls[1][1]["state"] == "open"
    assert hook.calls[2][1] == {"peer_id": "tablet-2", "state": "lost", "details": {"reason": "bye"}}


async def test_an_error_that_nobody_listens_to_disturbs_nobody(publisher):
    publisher.publish(EVENTS[-1])


class TestKeptMessages:
    async def test_messages_that_nobody_has_read_go_to_the_first_listener_and_only_once(self, publisher):
        publisher.publish(message(1))
        publisher.publish(message(2))
        first, second = [], []
        publisher.on("message", lambda _, value: first.append(value))
        publisher.on("message", lambda _, value: second.append(value))
        publisher.publish(message(3))
        assert (first, second) == ([1, 2, 3], [3])

    async def test_or_to_the_first_subscription_that_wants_them(self, publisher):
        publisher.publish(message(1))
        links = events(publisher, lambda event: not isinstance(event, MessageReceived))
        inbox = events(publisher, lambda event: isinstance(event, MessageReceived))
        await publisher.aclose(soon())
        assert [event async for event in inbox] == [message(1)]
        assert [event async for event in links] == []

    async def test_other_events_are_not_kept(self, publisher):
        publisher.publish(EVENTS[0])
        late = events(publisher)
        await publisher.aclose(soon())
        assert [event async for event in late] == []


class TestRoom:
    async def test_a_reader_that_falls_behind_makes_everybody_wait_until_it_has_caught_up(self, publisher):
        reader = events(publisher)
        for number in range(3):
            publisher.publish(message(number), Room.limit // 2 - EVENT_BYTES)
        assert publisher.room.crowded
        waiting = asyncio.ensure_future(publisher.room.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        await anext(reader)
        await waiting
        assert not publisher.room.crowded

    async def test_messages_that_nobody_reads_at_all_count_too(self, publisher):
        publisher.publish(message(1), Room.limit + 1)
        assert publisher.room.crowded
        publisher.on("message", lambda *_: None)
        assert not publisher.room.crowded

    async def test_the_slowest_reader_counts(self, publisher):
        slow, fast = events(publisher), events(publisher)
        publisher.publish(message(1), Room.limit + 1)
        await anext(fast)
        assert publisher.room.crowded
        await anext(slow)
        assert not publisher.room.crowded

    async def test_a_reader_that_closes_holds_up_nobody_any_more(self, publisher):
        slow = publisher.subscribe(lambda _: True)
        publisher.publish(message(1), Room.limit + 1)
        slow.close()
        assert not publisher.room.crowded
        publisher.publish(message(2), Room.limit + 1)
        publisher.on("message", lambda *_: None)
        assert slow.backlog == 0

    async def test_a_loop_over_messages_that_is_left_holds_up_nobody(self, publisher):
        inbox = MessageReader(publisher.subscribe(lambda event: event.name == "message"))
        publisher.publish(message(1))
        async for peer_id, value in inbox:
            assert (peer_id, value) == ("tablet-2", 1)
            break
        await inbox.aclose()
        publisher.on("message", lambda *_: None)
        publisher.publish(message(2), Room.limit + 1)
        assert not publisher.room.crowded

    @pytest.mark.parametrize("kind", [EventReader, MessageReader])
    async def test_a_reader_that_nobody_keeps_holds_up_nobody(self, publisher, kind):
        async def first():
            async for _ in kind(publisher.subscribe(lambda _: True)):
                return

        publisher.publish(message(1))
        await first()
        publisher.on("message", lambda *_: None)
        publisher.publish(message(2), Room.limit + 1)
        assert not publisher.room.crowded


class TestEnds:
    async def test_closing_a_subscription_ends_its_reader(self, publisher):
        reader = events(publisher)
        reading = asyncio.ensure_future(anext(reader, None))
        await asyncio.sleep(0)
        reader.close()
        reader.close()
        assert await reading is None

    async def test_a_closed_subscription_hears_nothing_more(self, publisher):
        reader = events(publisher)
        publisher.publish(message(1))
        reader.close()
        publisher.publish(message(2))
        assert [event async for event in reader] == []

    async def test_what_is_queued_at_the_end_is_still_read(self, publisher):
        reader = events(publisher)
        publisher.publish(message(1))
        await publisher.aclose(soon())
        assert [event async for event in reader] == [message(1)]


class TestListenerErrors:
    @pytest.mark.parametrize("name", ["message", "error"])
    async def test_what_a_listener_raises_is_logged_and_reaches_nobody_else(self, publisher, caplog, name):
        got = []

        def fail(*_):
            raise ValueError("sync")

        async def fail_later(*_):
            raise ValueError("async")

        for listener in (fail, fail_later, lambda *_: got.append(1)):
            publisher.on(name, listener)
        reader = events(publisher)
        event = message(1) if name == "message" else EVENTS[-1]
        publisher.publish(event)
        await publisher.aclose(soon())
        assert got == [1]
        assert [event async for event in reader] == [event]
        assert caplog.text.count("a listener failed") == 2
        assert "ValueError: sync" in caplog.text
        assert "ValueError: async" in caplog.text

    async def test_a_listener_that_raises_as_if_it_was_cancelled_disturbs_nobody_either(self, publisher, caplog):
        given_up = asyncio.get_running_loop().create_future()
        given_up.cancel()
        got, done = [], []
        publisher.on("message", lambda *_: given_up.result())
        publisher.on("message", lambda *_: got.append(1))
        publisher.publish(message(1), handling=(noted := Noted(done, 1)))
        assert (got, done) == ([1], [1])
        assert "CancelledError" in (noted._reason or "")
        assert "a listener failed" in caplog.text

    async def test_what_a_reader_raises_that_is_asked_whether_it_wants_an_event_reaches_nobody_else(self, publisher, caplog):
        done = []
        picky, reader = events(publisher, lambda event: event.name == "peer-path" or event.reason == "bye"), events(publisher)
        for event in EVENTS:
            publisher.publish(event, handling=Noted(done, 1) if isinstance(event, MessageReceived) else None)
        await publisher.aclose(soon())
        assert [event async for event in reader] == EVENTS
        assert [event async for event in picky] == [EVENTS[4], EVENTS[5]]
        assert done == [1]
        assert "AttributeError" in caplog.text

    async def test_closing_waits_for_listeners_that_still_run(self, publisher):
        begun, go, ended = asyncio.Event(), asyncio.Event(), []

        async def slow(*_):
            begun.set()
            await go.wait()
            ended.append(True)

        publisher.on("message", slow)
        publisher.publish(message(1))
        await begun.wait()
        closing = asyncio.ensure_future(publisher.aclose(soon()))
        await asyncio.sleep(0)
        go.set()
        await closing
        assert ended == [True]

    async def test_closing_cancels_listeners_that_never_end(self, publisher):
        cancelled = asyncio.Event()

        async def never(*_):
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        publisher.on("message", never)
        publisher.publish(message(1))
        await publisher.aclose(soon(0.01))
        assert cancelled.is_set()

    async def test_a_listener_may_close_the_publisher(self, publisher):
        done = asyncio.Event()

        async def close(*_):
            await publisher.aclose(soon(), but=[asyncio.current_task()])
            done.set()

        publisher.on("message", close)
        publisher.publish(message(1))
        await done.wait()


class TestDurableMessages:
    def publish(self, publisher: Publisher, number: int, done: list[int]) -> None:
        publisher.publish(message(number), handling=Noted(done, number))

    async def test_what_a_reader_leaves_is_done_if_a_listener_has_dealt_with_it(self, publisher):
        done: list[int] = []
        heard: list[int] = []
        publisher.on("message", lambda _, value: heard.append(value))
        reader = events(publisher)
        for number in range(3):
            self.publish(publisher, number, done)
        assert (heard, done) == ([0, 1, 2], [])
        reader.close()
        assert done == [0, 1, 2]

    async def test_what_two_readers_leave_waits_for_another(self, publisher):
        done: list[int] = []
        first, second = events(publisher), events(publisher)
        self.publish(publisher, 1, done)
        first.close()
        second.close()
        assert done == []
        reader = messages(publisher)
        assert (await anext(reader))[1] == 1

    async def test_a_message_is_done_when_its_reader_asks_for_the_next_and_not_when_it_fails(self, publisher):
        done: list[int] = []

        async def fail_at_the_second() -> None:
            async for _, value in messages(publisher):
                if value == 2:
                    raise LookupError

        for number in (1, 2, 3):
            self.publish(publisher, number, done)
        with pytest.raises(LookupError):
            await fail_at_the_second()
        assert done == [1]
        reader = messages(publisher)
        assert [(await anext(reader))[1], (await anext(reader))[1]] == [2, 3]
        assert done == [1, 2]

    async def test_what_one_task_has_in_hand_is_not_dealt_with_because_another_waits_for_the_next(self, publisher):
        done: list[int] = []
        reader = messages(publisher)
        tasks = [asyncio.ensure_future(anext(reader)) for _ in range(2)]
        await asyncio.sleep(0)
        self.publish(publisher, 1, done)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert done == []
        self.publish(publisher, 2, done)
        assert [(await task)[1] for task in tasks] == [1, 2]

    async def test_a_listener_that_publishes_does_not_take_the_message_from_those_after_it(self, publisher):
        done: list[int] = []
        go_on = asyncio.Event()

        async def slow(_: str, value: int) -> None:
            await go_on.wait()

        publisher.on("error", lambda _: None)
        publisher.on("message", lambda *_: publisher.publish(ErrorHappened("code", "text", "hint")))
        publisher.on("message", slow)
        self.publish(publisher, 1, done)
        assert done == []
        go_on.set()
        await publisher.aclose(soon())
        assert done == [1]
