"""The control bus of a running device, seen from the other end of its links."""

from __future__ import annotations

import asyncio

import pytest

from hallway.errors import BadMessage, ControlRefused, DeadlineExceeded, MessageTooLarge, MisuseError, PeerUnavailable
from hallway.interfaces import MAX_CONTROL_REQUESTS
from hallway.protocol.frames import MAX_ERROR, Request, Response
from hallway.runtime.control.bus import Bus
from hallway.runtime.tasks import TaskSet


class Pair:
    """Two buses joined by a link that can be cut."""

    def __init__(self) -> None:
        self.crashes: list[str] = []
        self.tasks = TaskSet(lambda name, error: self.crashes.append(name))
        self.one, self.other = Bus(self.tasks), Bus(self.tasks)
        self.frames: list[Request | Response] = []

    def link(self) -> None:
        loop = asyncio.get_running_loop()

        def carry(to: Bus, sender: str):
            def send(frame: Request | Response) -> None:
                self.frames.append(frame)
                loop.call_soon(to.received, sender, frame)

            return send

        self.one.up("Other", carry(self.other, "one"))
        self.other.up("one", carry(self.one, "Other"))

    def cut(self) -> None:
        self.one.down("Other")
        self.other.down("one")

    def ask(self, body: object, kind: str = "echo", seconds: float = 10.0):
        return self.one.request("other", kind, body, asyncio.get_running_loop().time() + seconds)


@pytest.fixture
async def pair():
    made = Pair()
    made.link()

    async def echo(peer_id: str, body: object) -> object:
        return [peer_id, body]

    made.other.serve("echo", echo)
    yield made
    await made.tasks.aclose()
    assert made.crashes == []


async def test_a_request_returns_what_the_handler_returned_and_ids_have_no_case(pair):
    assert await pair.ask({"a": 1}) == ["one", {"a": 1}]
    assert pair.one.linked == ("Other",)


async def test_requests_to_one_peer_arrive_in_order_and_are_handled_side_by_side(pair):
    began, go = [], asyncio.Event()

    async def slow(peer_id: str, body: object) -> object:
        began.append(body)
        await go.wait()
        return body

    pair.other.serve("slow", slow)
    asked = [asyncio.create_task(pair.ask(number, "slow")) for number in range(MAX_CONTROL_REQUESTS)]
    while len(began) < MAX_CONTROL_REQUESTS:
        await asyncio.sleep(0)
    with pytest.raises(ControlRefused, match="under way") as refused:
        await pair.ask("one too many", "slow")
    go.set()
    assert await asyncio.gather(*asked) == began == list(range(MAX_CONTROL_REQUESTS))
    assert refused.value.reason == "busy"
    assert await pair.ask("room again", "slow") == "room again"


async def test_a_handler_refuses_with_its_own_code_text_and_hint(pair):
    async def refuse(peer_id: str, body: object) -> object:
        raise PeerUnavailable("nobody is there", hint="wait")

    async def pass_on(peer_id: str, body: object) -> object:
        raise ControlRefused("no" * MAX_ERROR, reason="glare")

    pair.other.serve("refuse", refuse)
    pair.other.serve("pass-on", pass_on)
    with pytest.raises(ControlRefused, match="nobody is there") as refused:
        await pair.ask(None, "refuse")
    assert (refused.value.reason, refused.value.hint) == ("peer-unavailable", "wait")
    with pytest.raises(ControlRefused) as refused:
        await pair.ask(None, "pass-on")
    assert refused.value.reason == "glare"


async def test_a_handler_that_fails_is_told_as_that_and_logged(pair, caplog):
    async def broken(peer_id: str, body: object) -> object:
        raise RuntimeError("secret")

    async def mute(peer_id: str, body: object) -> object:
        return object()

    pair.other.serve("broken", broken)
    pair.other.serve("mute", mute)
    for kind, reason in (("broken", "internal"), ("mute", "bad-message")):
        with pytest.raises(ControlRefused) as refused:
            await pair.ask(None, kind)
        assert refused.value.reason == reason
        assert "secret" not in str(refused.value)
    assert "secret" in caplog.text


async def test_an_unknown_kind_is_refused(pair):
    with pytest.raises(ControlRefused, match="no plugin of the peer serves 'nonsense'") as refused:
        await pair.ask(None, "nonsense")
    assert refused.value.reason == "unknown-kind"
    assert "both devices have the plugin" in refused.value.hint


async def test_a_kind_is_served_once(pair):
    with pytest.raises(MisuseError, match="served already"):
        pair.other.serve("echo", None)


async def test_without_a_link_nothing_is_asked(pair):
    pair.cut()
    with pytest.raises(PeerUnavailable):
        await pair.ask(1)


async def test_a_link_that_goes_down_ends_what_waits(pair):
    never = asyncio.Event()

    async def hang(peer_id: str, body: object) -> object:
        await never.wait()

    pair.other.serve("hang", hang)
    asked = asyncio.create_task(pair.ask(1, "hang"))
    await asyncio.sleep(0)
    pair.cut()
    with pytest.raises(PeerUnavailable, match="went down"):
        await asked
    pair.link()
    assert await pair.ask(2) == ["one", 2]


async def test_an_answer_that_does_not_come_ends_at_the_deadline_and_a_late_one_is_ignored(pair):
    go = asyncio.Event()

    async def slow(peer_id: str, body: object) -> object:
        await go.wait()
        return "late"

    pair.other.serve("slow", slow)
    with pytest.raises(DeadlineExceeded, match="did not answer 'slow'"):
        await pair.ask(1, "slow", seconds=0.01)
    go.set()
    assert await pair.ask(2) == ["one", 2]
    pair.one.received("other", Response(999, "never asked"))


async def test_a_cancelled_request_leaves_nothing(pair):
    asked = asyncio.create_task(pair.ask(1))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.wait([asked])
    assert await pair.ask(2) == ["one", 2]


@pytest.mark.parametrize(("body", "error"), [("x" * 70_000, MessageTooLarge), (float("nan"), BadMessage), (object(), BadMessage)])
async def test_a_body_that_cannot_be_sent_is_refused_at_this_end(pair, body, error):
    with pytest.raises(error):
        await pair.ask(body)
    assert pair.frames == []


async def test_listeners_hear_of_changes_after_them_and_do_not_disturb_each_other(pair, caplog):
    heard = []
    pair.one.watch(lambda: 1 / 0)
    pair.one.watch(lambda: heard.append(pair.one.linked))
    pair.cut()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    pair.link()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert heard == [(), ("Other",)]
    assert "ZeroDivisionError" in caplog.text
