"""What is particular to the carrier: when it is up, what it says when it fails, and what a relay does and does not do."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from hallway.errors import BadEnvelope, ClosedError, DeadlineExceeded, SignalingUnavailable, Unreachable
from hallway.model import DeviceInfo, Envelope, IcePolicy, Mode, Origin, PeerRecord, Refusal, RefusalCode
from hallway.protocol.chain import ChainEntry
from hallway.testing.conformance import context
from hallway_peer_relay_signaling import _messages as messages
from hallway_peer_relay_signaling._limits import MAX_RESPONSE
from hallway_peer_relay_signaling._sightings import endpoint
from hallway_peer_relay_signaling.config import PeerRelayConfig
from hallway_peer_relay_signaling.plugin import hallway_signaling

OFFER = Envelope("offer", "application/json", b'{"an":"offer"}')
ANSWER = Envelope("answer", "application/json", b'{"an":"answer"}')
VIA_A = "peer-relay:a/b"


async def test_the_provider_says_what_it_is():
    (provider,) = hallway_signaling()
    assert (provider.name, provider.mode, provider.ice_policy) == ("peer-relay", Mode.LOCAL, IcePolicy.LAN)
    assert provider.schemes == {"peer-relay"}
    assert PeerRelayConfig() == PeerRelayConfig(relay=True)


def test_its_endpoints_are_taken_by_the_chain_and_name_no_host():
    """A relay's id in place of a host would make every direct offer of the peer look like one from elsewhere."""
    (provider,) = hallway_signaling()
    record = PeerRecord("b", "house", endpoints=(endpoint("a", "b"), "http://10.0.0.7:8090"))
    assert ChainEntry.of(provider).endpoints(record) == ("peer-relay:a/b",)
    assert (record.ip, urlsplit(VIA_A).hostname) == (None, None)


async def test_without_a_bus_it_cannot_come_up(site):
    (provider,) = hallway_signaling()
    carrier = provider.factory(PeerRelayConfig(), context(DeviceInfo("c", "house")))
    with pytest.raises(SignalingUnavailable, match="bus"):
        await carrier.start(None)
    with pytest.raises(Unreachable, match="not linked"):
        await carrier.request(VIA_A, OFFER, asyncio.get_running_loop().time() + 1)
    await carrier.aclose()
    with pytest.raises(ClosedError):
        await carrier.start(None)


async def test_it_is_up_while_a_peer_is_linked(site):
    a = await site.device("a")
    assert a.host.states == ["no peer is linked"]
    b = await site.device("b", "a")
    c = await site.device("c", "a")
    b.bus.unlink("a")
    c.bus.unlink("a")
    c.bus.link("a")
    assert a.host.states == ["no peer is linked", (), "no peer is linked", ()]
    await a.carrier.aclose()
    c.bus.unlink("a")
    assert a.host.states[-1] == ()
    assert b.host.states[-1] == "no peer is linked"


async def test_a_request_goes_through_the_relay_which_does_not_handle_it(site):
    a, b, c = await site.three()
    assert c.host.records["b"].endpoints == (VIA_A,)
    assert await c.ask(VIA_A) == ANSWER
    assert b.host.seen == [(OFFER, Origin("peer-relay", None))]
    assert a.host.seen == c.host.seen == []


@pytest.mark.parametrize("endpoint", ["peer-relay:A/B", "peer-relay://a/b", "peer-relay://A/b"])
async def test_endpoints_are_read_without_case_and_with_slashes(site, endpoint):
    _, _, c = await site.three()
    assert await c.ask(endpoint) == ANSWER


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("peer-relay:a", "no peer-relay endpoint"),
        ("peer-relay:a/b/c", "no peer-relay endpoint"),
        ("http://a/b", "no peer-relay endpoint"),
        ("peer-relay:a b/\n", "no peer-relay endpoint"),
        ("peer-relay:a/A", "two other devices"),
        ("peer-relay:c/b", "two other devices"),
        ("peer-relay:a/C", "two other devices"),
        ("peer-relay:b/a", "the relay b is not linked"),
        ("peer-relay:a/nobody", "the relay a did not carry the request to nobody: it has no open link to nobody (not-linked)"),
    ],
)
async def test_an_endpoint_that_leads_nowhere_says_why(site, endpoint, why):
    _, _, c = await site.three()
    with pytest.raises(Unreachable) as caught:
        await c.ask(endpoint)
    assert why in str(caught.value)


async def test_a_device_that_does_not_relay_says_so_and_lets_others_relay_for_it(site):
    _, b, c = await site.three()
    d = await site.device("d", "b", "c", relay=False)
    with pytest.raises(Unreachable, match=r"the relay d did not carry .* \(off\)"):
        await c.ask("peer-relay:d/b")
    d.bus.unlink("b")
    d.bus.unlink("c")
    d.bus.link("a")
    await d.sees("b", "c")
    assert await d.ask("peer-relay:a/b") == ANSWER
    await b.sees("c", "d")
    assert await b.ask("peer-relay:a/d") == ANSWER


async def test_a_peer_that_does_not_relay_is_no_way_to_anybody(site):
    await site.device("a", relay=False)
    b = await site.device("b", "a")
    await site.device("c", "a")
    await site.device("r", "b", "c")
    await b.sees("c")
    assert b.host.records["c"].endpoints == ("peer-relay:r/c",)


async def test_the_refusal_of_the_target_is_its_own(site):
    _, b, c = await site.three()
    b.host.outcome = Refusal(RefusalCode.GLARE, "my own offer stands")
    assert await c.ask(VIA_A) == b.host.outcome


async def test_an_answer_that_does_not_fit_is_refused_and_the_largest_passes(site):
    _, b, c = await site.three()
    b.host.outcome = Envelope("answer", "a/b", bytes(MAX_RESPONSE))
    assert await c.ask(VIA_A) == b.host.outcome
    b.host.outcome = Envelope("answer", "a/b", bytes(MAX_RESPONSE + 1))
    refusal = await c.ask(VIA_A)
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.TOO_LARGE
    assert str(MAX_RESPONSE) in refusal.message


async def test_the_deadline_is_passed_on(site):
    """The handler ends with the requester's patience, although nobody tells it that the requester has gone."""
    _, b, c = await site.three()
    b.host.hold = asyncio.Event()
    with pytest.raises(DeadlineExceeded, match="no answer of b came through the relay a in time"):
        await c.ask(VIA_A, patience=0.2)
    await b.host.ended.wait()
    assert not b.host.hold.is_set()


async def test_patience_is_capped_by_the_relay(site):
    _, b, c = await site.three(patience=0.2)
    b.host.hold = asyncio.Event()
    with pytest.raises(DeadlineExceeded, match=r"b, asked by the relay a, gave no answer: it did not answer in time \(too-slow\)"):
        await c.ask(VIA_A, patience=1000)
    await b.host.ended.wait()


async def test_patience_is_capped_by_the_target(site):
    await site.device("a")
    b, c = await site.device("b", "a", patience=0.2), await site.device("c", "a")
    await c.sees("b")
    b.host.hold = asyncio.Event()
    refusal = await c.ask(VIA_A, patience=1000)
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.TOO_SLOW


async def test_a_relay_carries_so_many_at_once_and_no_more(site):
    _, b, c = await site.three(relayed=2)
    b.host.hold = asyncio.Event()
    asking = [asyncio.create_task(c.ask(VIA_A)) for _ in range(2)]
    while len(b.host.seen) < 2:
        await asyncio.sleep(0)
    with pytest.raises(Unreachable, match=r"the relay a did not carry .* \(busy\)"):
        await c.ask(VIA_A)
    d = await site.device("d", "a")
    with pytest.raises(Unreachable, match="busy"):
        await d.ask(VIA_A)
    b.host.hold.set()
    assert await asyncio.gather(*asking) == [ANSWER, ANSWER]
    assert await c.ask(VIA_A) == ANSWER


async def test_a_relay_carries_so_many_a_second_for_each_peer(site):
    _, _, c = await site.three(relay_rate=0.001, relay_burst=2)
    d = await site.device("d", "a")
    assert [await c.ask(VIA_A) for _ in range(2)] == [ANSWER, ANSWER]
    with pytest.raises(Unreachable, match=r"the relay a did not carry .* \(rate-limited\)"):
        await c.ask(VIA_A)
    assert await d.ask(VIA_A) == ANSWER


async def test_a_target_takes_so_many_at_once_and_so_many_a_second(site):
    await site.device("a")
    b, c = await site.device("b", "a", handled=1, handle_rate=0.001, handle_burst=3), await site.device("c", "a")
    await c.sees("b")
    b.host.hold = asyncio.Event()
    asking = asyncio.create_task(c.ask(VIA_A))
    await b.host.begun.wait()
    codes = [(await c.ask(VIA_A)).code for _ in range(2)]
    b.host.hold.set()
    assert await asking == ANSWER
    assert [*codes, (await c.ask(VIA_A)).code] == [RefusalCode.BUSY, RefusalCode.BUSY, RefusalCode.RATE_LIMITED]
    assert len(b.host.seen) == 1


async def test_a_peer_without_the_plugin_is_named_as_what_it_is(site):
    site.bare("plain")
    a, b = await site.device("a", "plain"), await site.device("b", "plain")
    a.bus.link("b")
    with pytest.raises(Unreachable, match=r"the relay plain did not take .* \(unknown-kind\)") as caught:
        await a.ask("peer-relay:plain/b")
    assert "signaling chain of plain" in caught.value.hint
    with pytest.raises(Unreachable, match=r"plain, asked by the relay b, gave no answer: .* \(unknown-kind\)"):
        await a.ask("peer-relay:b/plain")
    assert b.host.records == {}


@pytest.mark.parametrize("step", ["first", "second"])
async def test_a_link_that_breaks_meanwhile_is_named(site, step):
    a, b, c = await site.three()
    b.host.hold = asyncio.Event()
    asking = asyncio.create_task(c.ask(VIA_A))
    await b.host.begun.wait()
    (c if step == "first" else b).bus.unlink("a")
    with pytest.raises(Unreachable) as caught:
        await asking
    text = (
        "the relay a cannot be asked to reach b" if step == "first" else "the relay a did not carry the request to b: it has no open link"
    )
    assert text in str(caught.value)
    await a.aclose()


@pytest.mark.parametrize("who", ["requester", "relay", "target"])
async def test_closing_ends_what_is_under_way(site, who):
    a, b, c = await site.three()
    b.host.hold = asyncio.Event()
    asking = asyncio.create_task(c.ask(VIA_A))
    await b.host.begun.wait()
    await {"requester": c, "relay": a, "target": b}[who].carrier.aclose()
    if who == "requester":
        with pytest.raises(ClosedError):
            await asking
    elif who == "relay":
        with pytest.raises(Unreachable, match=r"the relay a did not carry the request to b: it is closing \(closing\)"):
            await asking
    else:
        assert await asking == Refusal(RefusalCode.CLOSING, "b is closing")
        assert b.host.ended.is_set()


async def test_a_closed_target_and_a_closed_relay_take_nothing_more(site):
    a, b, c = await site.three()
    await b.carrier.aclose()
    assert await c.ask(VIA_A) == Refusal(RefusalCode.CLOSING, "b is closing")
    await a.carrier.aclose()
    with pytest.raises(Unreachable, match="closing"):
        await c.ask(VIA_A)
    assert b.host.seen == []


async def test_a_relayed_answer_that_is_garbage_is_a_bad_envelope(site):
    await site.device("a")
    c = await site.device("c", "a")
    mallory = site.bare("m", "a")
    for answer in ({}, [], {"envelope": {"kind": "answer"}}, {"envelope": {"kind": "answer", "contentType": "a/b", "base64": "%"}}):
        mallory._handlers[messages.DELIVER] = answering(answer)
        with pytest.raises(BadEnvelope, match="m"):
            await c.ask("peer-relay:a/m")


def answering(value):
    async def answer(_, __):
        return value

    return answer
