"""Linked peers that mean no good: what they send is bounded, refused by name, and raises nothing into the loop."""

from __future__ import annotations

import asyncio
import logging

import pytest

from hallway.errors import ControlRefused, DeadlineExceeded, Unreachable
from hallway.model import Envelope
from hallway_peer_relay_signaling import _messages as messages
from hallway_peer_relay_signaling._messages import Failure, Member, News, Parcel, RelayRequest

GARBAGE = [None, 0, "x", [], {}, {"version": 1}, [[[[]]]], {"peers": "x" * 60_000}, {"version": 1, "peers": list(range(10_000))}]
GARBAGE += [{"to": 1, "from": {}, "patience": [], "envelope": "e"}, {"to": "b", "from": "b", "patience": 1e9, "envelope": {}}]


@pytest.fixture(autouse=True)
def nothing_logged_as_an_error(caplog):
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body)[:30])
async def test_garbage_is_refused_by_name_and_the_rest_goes_on(site, body):
    errors = []
    asyncio.get_running_loop().set_exception_handler(lambda _, details: errors.append(details))
    a, b, c = await site.three()
    mallory = site.bare("m", "a", "b")
    soon = asyncio.get_running_loop().time() + 10
    with pytest.raises(ControlRefused) as caught:
        await mallory.request("a", messages.NEWS, body, soon)
    assert caught.value.reason == "bad-request"
    outcome = messages.read_outcome(await mallory.request("a", messages.RELAY, body, soon))
    assert isinstance(outcome, Failure)
    assert (outcome.by, outcome.reason) == ("relay", "bad-request")
    refusal = messages.read_answer(await mallory.request("b", messages.DELIVER, body, soon))
    assert refusal.code.value == "bad-request"
    assert await c.ask("peer-relay:a/b")
    assert (len(b.host.seen), a.host.seen, errors) == (1, [], [])


async def test_a_flood_of_news_is_refused_and_hides_nobody(site):
    _, b, c = await site.three(news_rate=0.001, news_burst=3)
    mallory = site.bare("m", "c")
    told = messages.write_news(News("s", "tablet", None, (Member("ghost"),)))
    outcomes = await asyncio.gather(
        *(mallory.request("c", messages.NEWS, told, asyncio.get_running_loop().time() + 10) for _ in range(16)), return_exceptions=True
    )
    assert outcomes[:3] == [None] * 3
    assert {outcome.reason for outcome in outcomes[3:]} == {"rate-limited"}
    assert set(c.host.records) == {"b", "ghost"}
    assert set(b.host.records) == {"c"}


async def test_a_liar_cannot_have_more_than_its_share_reported(site):
    _, _, c = await site.three(reported=8, reported_by_one=4)
    mallory = site.bare("m", "c")
    lies = tuple(Member(f"ghost-{number}") for number in range(256))
    await mallory.request("c", messages.NEWS, messages.write_news(News("s", "t", None, lies)), asyncio.get_running_loop().time() + 10)
    assert len(c.host.records) == 5
    with pytest.raises(Unreachable, match=r"the relay m did not take .* \(unknown-kind\)"):
        await c.ask("peer-relay:m/ghost-1")
    mallory.unlink("c")
    assert set(c.host.records) == {"b"}


@pytest.mark.parametrize("to", ["a", "A", "m", "M"])
async def test_a_relay_carries_nothing_to_itself_or_back(site, to):
    a, _, _ = await site.three()
    mallory = site.bare("m", "a")
    request = messages.write_relay_request(RelayRequest(to, 10, Parcel.of(Envelope("offer", "a/b", b""))))
    outcome = messages.read_outcome(await mallory.request("a", messages.RELAY, request, asyncio.get_running_loop().time() + 10))
    assert outcome == Failure("relay", "bad-request", "a relay carries between two other devices")
    assert a.host.seen == []


async def test_a_relay_is_one_hop(site):
    """b reaches c through a; who is linked to b alone does not reach c."""
    _, b, _ = await site.three()
    e = await site.device("e", "b")
    await e.sees("a")
    with pytest.raises(Unreachable, match=r"the relay b did not carry the request to c: it has no open link to c"):
        await e.ask("peer-relay:b/c")
    assert b.host.seen == []


async def test_a_relay_that_never_answers_costs_the_deadline(site):
    c = await site.device("c")
    mallory = site.bare("m", "c")
    hold = asyncio.Event()

    async def never(_, __):
        await hold.wait()

    mallory.serve(messages.RELAY, never)
    with pytest.raises(DeadlineExceeded):
        await c.ask("peer-relay:m/b", patience=0.1)


@pytest.mark.parametrize("number", range(3))
async def test_a_handler_with_a_bug_costs_its_own_request_only(site, caplog, number):
    _, b, c = await site.three()
    b.host.error = ZeroDivisionError("a bug")
    refusal = await c.ask("peer-relay:a/b")
    assert refusal.code.value == "internal"
    assert "brought by a" in caplog.text
    caplog.clear()
    b.host.error = None
    assert await c.ask("peer-relay:a/b") == b.host.outcome
