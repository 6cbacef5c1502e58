"""The suite of the control bus: `hallway.interfaces.ControlBus`. No plugin's to run; whoever makes a bus holds it to this.

``site`` sets up two devices whose link is open and yields a `ControlPair`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
import pytest
import pytest_asyncio

from hallway.errors import (
    BadFrame,
    BadMessage,
    ControlRefused,
    DeadlineExceeded,
    MessageTooLarge,
    MisuseError,
    PeerUnavailable,
)
from hallway.interfaces import MAX_CONTROL_BODY, ControlBus
from hallway.testing.conformance.bench import cancelled, soon, until
from hallway.testing.conformance.leftovers import Running, left_over, nothing_left_running
from hallway.testing.conformance.suite import Suite, published

KIND = "conformance.ask"
LIMIT = 16
"""Requests of one peer that a device handles at once."""


@attrs.frozen
class ControlPair:
    """Two devices and their buses. ``unlink`` cuts the link, which stays cut until ``link`` opens it; each returns when both ends know."""

    near_id: str
    near: ControlBus
    far_id: str
    far: ControlBus
    link: Callable[[], Awaitable[None]]
    unlink: Callable[[], Awaitable[None]]
    tasks: list[asyncio.Task[Any]] = attrs.field(factory=list, init=False, repr=False)

    @property
    def flipped(self) -> ControlPair:
        """The same pair, seen from the other end."""
        return ControlPair(self.far_id, self.far, self.near_id, self.near, self.link, self.unlink)

    def asking(self, body: Any) -> asyncio.Task[Any]:
        """The same in a task, which ends with the test at the latest."""
        task = asyncio.ensure_future(self.ask(body))
        self.tasks.append(task)
        return task

    async def ask(self, body: Any, kind: str = KIND, deadline: float | None = None) -> Any:
        """Let the near device ask the far one."""
        return await self.near.request(self.far_id, kind, body, soon() if deadline is None else deadline)


class Served:
    """A handler that notes what it is asked, and answers with it once it is let go. It is at first."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.ended = 0
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, peer_id: str, body: Any) -> Any:
        """Answer with the body."""
        self.asked.append((peer_id, body))
        await self.free.wait()
        self.ended += 1
        return body


@published
class ControlConformance(Suite):
    """Holds a control bus to its promises."""

    def site(self) -> AbstractAsyncContextManager[ControlPair]:
        """Two devices with an open link. The author's."""
        raise NotImplementedError("a conformance class says by `site` how two linked buses are made")

    @pytest_asyncio.fixture(loop_scope="function")
    async def pair(self, flipped: bool) -> AsyncIterator[ControlPair]:
        """Two linked buses, and nothing left of them afterwards."""
        async with nothing_left_running(), self.site() as made:
            pair = made.flipped if flipped else made
            yield pair
            for task in pair.tasks:
                task.cancel()
            await asyncio.gather(*pair.tasks, return_exceptions=True)

    @pytest.fixture
    def served(self, pair: ControlPair) -> Served:
        """What the far device answers with."""
        handler = Served()
        pair.far.serve(KIND, handler)
        return handler

    @pytest.mark.parametrize(
        "body", [None, True, 0, -1.5, "", "ä\N{GRINNING FACE}\n", [], {}, [1, [{"a": None}]], {"a": {"b": [1]}}], ids=repr
    )
    async def test_a_request_comes_back_with_what_the_handler_returned(self, pair: ControlPair, served: Served, body: Any) -> None:
        """Any JSON value, there and back, under the asker's id."""
        assert await pair.ask(body) == body
        assert served.asked == [(pair.near_id, body)]

    async def test_both_devices_may_ask_at_once(self, pair: ControlPair, served: Served) -> None:
        """Each way has its own requests, and a handler may ask back."""

        async def ask_back(peer_id: str, body: Any) -> Any:
            return await pair.near.request(peer_id, KIND, [body], soon())

        pair.near.serve(KIND, ask_back)
        assert await pair.far.request(pair.near_id, KIND, 1, soon()) == [1]
        assert list(await asyncio.gather(pair.ask(2), pair.far.request(pair.near_id, KIND, 3, soon()))) == [2, [3]]

    async def test_requests_arrive_in_the_order_of_the_calls(self, pair: ControlPair, served: Served) -> None:
        """As many as a device handles at once."""
        assert await asyncio.gather(*(pair.ask(number) for number in range(LIMIT))) == list(range(LIMIT))
        assert [body for _, body in served.asked] == list(range(LIMIT))

    async def test_a_slow_handler_holds_up_nobody_else(self, pair: ControlPair, served: Served) -> None:
        """They are handled side by side."""

        async def at_once(_: str, body: Any) -> Any:
            return body

        pair.far.serve(KIND + ".quick", at_once)
        served.free.clear()
        slow = pair.asking("slow")
        await until(lambda: bool(served.asked), "the slow request arrived")
        assert await pair.ask("quick", KIND + ".quick") == "quick"
        served.free.set()
        assert await slow == "slow"

    async def test_the_error_of_a_handler_arrives_with_its_code_and_text(self, pair: ControlPair) -> None:
        """`ControlRefused`, whose reason is the code."""

        async def refuse(_: str, __: Any) -> Any:
            raise BadFrame("das war nichts, \N{GRINNING FACE}")

        pair.far.serve(KIND, refuse)
        with pytest.raises(ControlRefused, match="das war nichts, \N{GRINNING FACE}") as caught:
            await pair.ask(1)
        assert caught.value.reason == BadFrame.code

    async def test_a_handler_that_refuses_chooses_the_reason(self, pair: ControlPair) -> None:
        """The reason of a `ControlRefused` that it raises arrives as it is."""

        async def refuse(_: str, __: Any) -> Any:
            raise ControlRefused("not today", reason="off", hint="ask tomorrow")

        pair.far.serve(KIND, refuse)
        with pytest.raises(ControlRefused, match="not today") as caught:
            await pair.ask(1)
        assert (caught.value.reason, caught.value.hint) == ("off", "ask tomorrow")

    @pytest.mark.parametrize(
        "answer", [ZeroDivisionError("a bug"), {1, 2}, float("nan"), "x" * MAX_CONTROL_BODY], ids=["bug", "set", "nan", "large"]
    )
    async def test_a_handler_that_fails_costs_its_own_request_only(self, pair: ControlPair, served: Served, answer: Any) -> None:
        """It raises, or returns what cannot be carried: the asker gets `ControlRefused`, and the next request is answered."""

        async def fail(_: str, __: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        pair.far.serve(KIND + ".broken", fail)
        with pytest.raises(ControlRefused):
            await pair.ask(1, KIND + ".broken")
        assert await pair.ask(2) == 2

    async def test_a_kind_that_nobody_serves_is_refused(self, pair: ControlPair) -> None:
        """`ControlRefused`, at once."""
        with pytest.raises(ControlRefused):
            await pair.ask(1, KIND + ".unknown")

    async def test_a_kind_is_served_once(self, pair: ControlPair, served: Served) -> None:
        """`MisuseError`, and the first handler goes on."""
        with pytest.raises(MisuseError):
            pair.far.serve(KIND, Served())
        assert await pair.ask(1) == 1

    async def test_a_peer_without_a_link_is_unavailable(self, pair: ControlPair, served: Served) -> None:
        """Whether it was never there, or its link was cut; once that is open again, it is asked."""
        with pytest.raises(PeerUnavailable):
            await pair.near.request("nobody-at-all", KIND, 1, soon())
        await pair.unlink()
        assert (pair.near.linked, pair.far.linked) == ((), ())
        with pytest.raises(PeerUnavailable):
            await pair.ask(1)
        await pair.link()
        assert await pair.ask(2) == 2
        assert served.asked == [(pair.near_id, 2)]

    async def test_a_request_ends_with_the_link(self, pair: ControlPair, served: Served) -> None:
        """`PeerUnavailable`, before its deadline."""
        served.free.clear()
        asking = pair.asking(1)
        await until(lambda: bool(served.asked), "the request arrived")
        await pair.unlink()
        with pytest.raises(PeerUnavailable):
            await asking
        served.free.set()

    @pytest.mark.parametrize("seconds", [0.2, -1.0])
    async def test_no_answer_in_time_is_an_exceeded_deadline(self, pair: ControlPair, served: Served, seconds: float) -> None:
        """Also if there was no time to begin with; the next request is answered."""
        served.free.clear()
        with pytest.raises(DeadlineExceeded):
            await pair.ask(1, deadline=soon(seconds))
        served.free.set()
        assert await pair.ask(2) == 2

    @pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
    async def test_a_cancelled_request_leaves_nothing_behind(self, pair: ControlPair, served: Served, after: int) -> None:
        """At whatever moment it is cancelled."""
        await pair.ask(0)
        before = Running()
        await cancelled(pair.asking(1), after)
        assert await left_over(before) == []
        assert await pair.ask(2) == 2

    async def test_the_handler_of_a_cancelled_request_ends_by_itself(self, pair: ControlPair, served: Served) -> None:
        """It is not cancelled with it."""
        served.free.clear()
        asking = pair.asking(1)
        await until(lambda: bool(served.asked), "the request arrived")
        await cancelled(asking)
        served.free.set()
        await until(lambda: served.ended == 1, "the handler ended")

    @pytest.mark.parametrize(
        "body", [{1, 2}, b"bytes", float("inf"), "\ud800", object()], ids=["set", "bytes", "inf", "surrogate", "object"]
    )
    async def test_what_is_no_json_value_is_not_sent(self, pair: ControlPair, served: Served, body: Any) -> None:
        """`BadMessage`."""
        with pytest.raises(BadMessage):
            await pair.ask(body)
        assert served.asked == []

    async def test_the_largest_body_passes_and_a_larger_one_does_not(self, pair: ControlPair, served: Served) -> None:
        """`MAX_CONTROL_BODY` bytes of JSON, the quotes counted, there and back; one more is a `MessageTooLarge`."""
        largest = "x" * (MAX_CONTROL_BODY - 2)
        assert await pair.ask(largest) == largest
        with pytest.raises(MessageTooLarge):
            await pair.ask(largest + "x")
        with pytest.raises(MessageTooLarge):
            await pair.ask("ä" * (MAX_CONTROL_BODY // 2))
        assert len(served.asked) == 1

    async def test_more_than_sixteen_at_once_are_refused_as_busy(self, pair: ControlPair, served: Served) -> None:
        """The sixteen are answered, and so is the next one after them."""
        served.free.clear()
        asking = [pair.asking(number) for number in range(LIMIT)]
        await until(lambda: len(served.asked) == LIMIT, "sixteen requests arrived")
        with pytest.raises(ControlRefused) as caught:
            await pair.ask("one more", deadline=soon(2))
        assert caught.value.reason == "busy"
        served.free.set()
        assert await asyncio.gather(*asking) == list(range(LIMIT))
        assert await pair.ask("later") == "later"

    async def test_a_watcher_is_called_after_every_change(self, pair: ControlPair) -> None:
        """At both ends, and `linked` is new by then."""
        seen: dict[str, list[tuple[str, ...]]] = {"near": [], "far": []}
        pair.near.watch(lambda: seen["near"].append(pair.near.linked))
        pair.far.watch(lambda: seen["far"].append(pair.far.linked))
        await pair.unlink()
        await until(lambda: [each[-1:] for each in seen.values()] == [[()], [()]], "both ends were told that the link is cut")
        await pair.link()
        told = [[(pair.far_id,)], [(pair.near_id,)]]
        await until(lambda: [each[-1:] for each in seen.values()] == told, "both ends were told that the link is open")
