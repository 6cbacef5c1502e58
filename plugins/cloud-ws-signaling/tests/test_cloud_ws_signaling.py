"""The carrier against the real server: presence, requests, outages, closing."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from hallway.errors import BadEnvelope, ClosedError, DeadlineExceeded, SignalingUnavailable, Unreachable
from hallway.interfaces import Signaling
from hallway.model import Envelope, Gone, Origin, PeerRecord, Refusal, RefusalCode, Seen
from hallway.network import Resolver
from hallway_cloud_ws_signaling._limits import MAX_BODY


async def test_a_device_hears_of_those_that_are_there_come_and_go(site, url):
    one = await site.started(url, "tablet-1")
    two = await site.started(url, "tablet-2")
    seen = Seen(PeerRecord("tablet-2", "house", "tablet", ("cloud-ws:tablet-2",), "epoch-tablet-2"))
    assert await one.host.sightings.get() == seen
    await two.host.sees("tablet-1")
    await two.carrier.aclose()
    assert await one.host.sightings.get() == Gone("tablet-2")


async def test_a_request_returns_what_the_peers_handler_returned(site, url, wire):
    one, two = await site.pair(url)
    assert await one.ask("tablet-2") == wire.answer
    assert two.host.seen == [(wire.offer, Origin("cloud-ws"))]
    two.host.outcome = Refusal(RefusalCode.GLARE, "mine stands")
    assert await one.ask("TABLET-2") == two.host.outcome


@pytest.mark.parametrize(
    "body", [b"", b"\xff\x00" * (MAX_BODY // 2), '\u00fc\u20ac\U0001f600"\\\n'.encode()], ids=["empty", "bytes", "text"]
)
async def test_bodies_arrive_as_they_were_sent(site, url, body):
    one, two = await site.pair(url)
    two.host.outcome = Envelope("answer", "application/octet-stream", body)
    assert await one.ask("tablet-2", Envelope("offer", "application/octet-stream", body)) == two.host.outcome
    assert two.host.seen[0][0].body == body


async def test_many_requests_at_once_each_get_their_own_answer(site, url):
    one, two = await site.pair(url)
    three = await site.started(url, "tablet-3")
    await one.host.sees("tablet-2", "tablet-3")
    three.host.outcome = Envelope("answer", "text/plain", b"three")
    answers = await asyncio.gather(*(one.ask(f"tablet-{2 + turn % 2}") for turn in range(40)))
    assert [answer.body for answer in answers] == [two.host.outcome.body, b"three"] * 20


async def test_what_is_too_large_is_refused_before_it_is_sent(site, url, wire):
    one, two = await site.pair(url)
    large = Envelope("offer", "text/plain", b"x" * (MAX_BODY + 1))
    assert (await one.ask("tablet-2", large)).code is RefusalCode.TOO_LARGE
    two.host.outcome = large
    assert (await one.ask("tablet-2")).code is RefusalCode.INTERNAL
    two.host.outcome = wire.answer
    assert await one.ask("tablet-2") == wire.answer


async def test_a_handler_that_fails_answers_internal_and_logs_it(site, url, caplog):
    one, two = await site.pair(url)
    two.host.error = RuntimeError("boom")
    assert (await one.ask("tablet-2")).code is RefusalCode.INTERNAL
    assert "boom" in caplog.text


async def test_a_handler_that_takes_too_long_is_cancelled_and_answers_too_slow(site, url):
    one = await site.started(url, "tablet-1")
    two = await site.started(url, "tablet-2", handling=0.05)
    await one.host.sees("tablet-2")
    two.host.hold = asyncio.Event()
    assert (await one.ask("tablet-2")).code is RefusalCode.TOO_SLOW
    assert two.host.cancelled.is_set()


async def test_no_more_requests_are_handled_at_once_than_the_bound(site, url, wire):
    one = await site.started(url, "tablet-1")
    two = await site.started(url, "tablet-2", requests=3)
    await one.host.sees("tablet-2")
    two.host.hold = asyncio.Event()
    held = [asyncio.create_task(one.ask("tablet-2")) for _ in range(3)]
    for _ in held:
        await two.host.begun.get()
    assert (await one.ask("tablet-2")).code is RefusalCode.BUSY
    two.host.hold.set()
    assert await asyncio.gather(*held) == [wire.answer] * 3
    assert two.host.most == 3


async def test_no_answer_in_time_is_an_exceeded_deadline_and_ends_the_work(site, url):
    one, two = await site.pair(url)
    two.host.hold = asyncio.Event()
    with pytest.raises(DeadlineExceeded):
        await one.ask("tablet-2", patience=0.2)
    await two.host.cancelled.wait()


async def test_a_deadline_that_has_passed_sends_nothing(site, url, wire):
    one, _ = await site.pair(url)
    with pytest.raises(DeadlineExceeded):
        await one.ask("tablet-2", patience=-1)
    assert await one.ask("tablet-2") == wire.answer


async def test_a_cancelled_request_ends_the_work_of_the_peer(site, url):
    one, two = await site.pair(url)
    two.host.hold = asyncio.Event()
    asking = asyncio.create_task(one.ask("tablet-2"))
    await two.host.begun.get()
    asking.cancel()
    await two.host.cancelled.wait()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_requester_that_goes_ends_the_work(site, url):
    one, two = await site.pair(url)
    two.host.hold = asyncio.Event()
    asking = asyncio.create_task(one.ask("tablet-2"))
    await two.host.begun.get()
    await one.carrier.aclose()
    await two.host.cancelled.wait()
    with pytest.raises(ClosedError):
        await asking


async def test_a_peer_that_goes_ends_the_waiting(site, url):
    one, two = await site.pair(url)
    two.host.hold = asyncio.Event()
    asking = asyncio.create_task(one.ask("tablet-2"))
    await two.host.begun.get()
    await two.carrier.aclose()
    with pytest.raises(Unreachable):
        await asking


async def test_properties_do_not_see_or_reach_each_other(site, url):
    one = await site.started(url, "tablet-1")
    await site.started(url, "tablet-2", "another house")
    three = await site.started(url, "tablet-3")
    await one.host.sees("tablet-3")
    await three.host.sees("tablet-1")
    with pytest.raises(Unreachable):
        await one.ask("tablet-2")


@pytest.mark.parametrize("endpoint", ["http://a:1", "cloud-ws:", "cloud-ws://tablet-2", "cloud-ws:-", "tablet-2"])
async def test_other_endpoints_are_unreachable(site, url, wire, endpoint):
    one, _ = await site.pair(url)
    with pytest.raises(Unreachable):
        await one.carrier.request(endpoint, wire.offer, asyncio.get_running_loop().time() + 20)


async def test_unreadable_envelopes_of_a_peer_cost_that_exchange_only(site, url, wire):
    one = await site.started(url, "tablet-1")
    rude = await site.raw(url, "rude")
    await one.host.sees("rude")
    await rude.send(**wire.request("tablet-1", "r1", kind=7))
    assert (await rude.expect("refusal"))["code"] == "bad-request"
    asking = asyncio.create_task(one.ask("rude"))
    asked = await rude.expect("request")
    await rude.send(type="response", id=asked["id"], to="tablet-1", kind="answer", contentType="x", base64="?")
    with pytest.raises(BadEnvelope):
        await asking


async def test_nobody_can_answer_for_another(site, url, wire):
    one, two = await site.pair(url)
    rude = await site.raw(url, "rude")
    await one.host.sees("tablet-2", "rude")
    two.host.hold = asyncio.Event()
    asking = asyncio.create_task(one.ask("tablet-2"))
    await two.host.begun.get()
    (request_id,) = one.carrier._session._pending
    await rude.send(type="response", id=request_id, to="tablet-1", kind="answer", contentType="x", body="forged")
    await rude.send(**wire.request("tablet-1", "after"))
    await rude.expect("response")
    two.host.hold.set()
    assert await asking == wire.answer


async def test_after_a_server_restart_all_find_each_other_again(site, wire):
    server = await site.server()
    url, port = server.urls()[0], int(server.urls()[0].rpartition(":")[2])
    one, two = await site.pair(url)
    two.host.hold = asyncio.Event()
    asking = asyncio.create_task(one.ask("tablet-2"))
    await two.host.begun.get()
    await server.aclose()
    with pytest.raises(Unreachable):
        await asking
    for device in (one, two):
        assert "1001" in await device.host.until("down")
        await device.host.sees()
    with pytest.raises(Unreachable):
        await one.ask("tablet-2")
    await site.server(port)
    for device in (one, two):
        await device.host.until("up")
    await one.host.sees("tablet-2")
    await two.host.sees("tablet-1")
    two.host.hold = None
    assert await one.ask("tablet-2") == wire.answer


async def test_with_nobody_listening_start_fails_and_may_be_tried_again(site):
    server = await site.server()
    url, port = server.urls()[0], int(server.urls()[0].rpartition(":")[2])
    await server.aclose()
    before = asyncio.all_tasks()
    device = site.device(url)
    for _ in range(2):
        with pytest.raises(SignalingUnavailable, match="cannot be reached"):
            await device.carrier.start(device.host)
    assert asyncio.all_tasks() == before
    await site.server(port)
    await device.carrier.start(device.host)
    await device.host.until("up")


@pytest.fixture
def black_hole():
    """A port where connections succeed and nothing ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


async def test_a_black_holed_server_fails_the_start_after_its_deadline(site, black_hole):
    before = asyncio.all_tasks()
    device = site.device(f"ws://127.0.0.1:{black_hole}", opening=0.1)
    with pytest.raises(SignalingUnavailable, match="did not answer in time"):
        await device.carrier.start(device.host)
    assert asyncio.all_tasks() == before
    assert device.host.states.empty()


@pytest.mark.parametrize("end", ["cancel", "close"])
async def test_a_start_that_hangs_can_be_ended(site, black_hole, end):
    device = site.device(f"ws://127.0.0.1:{black_hole}", opening=30.0)
    starting = asyncio.create_task(device.carrier.start(device.host))
    await asyncio.sleep(0)
    if end == "cancel":
        starting.cancel()
    else:
        await device.carrier.aclose()
    with pytest.raises(asyncio.CancelledError if end == "cancel" else ClosedError):
        await starting


class Silent(asyncio.DatagramProtocol):
    """A DNS server that never answers, or always the same address."""

    def __init__(self, address: str | None) -> None:
        self.address = address
        self.asked = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        self.asked.set()
        if self.address is not None and data[-4:-2] == b"\x00\x01":
            answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04" + socket.inet_aton(self.address)
            question = data[12 : data.index(b"\x00", 12) + 5]
            self.transport.sendto(data[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + question + answer, peer)


@pytest.fixture
async def dns():
    """Makes a resolver whose only server says ``address``, or nothing."""
    import dns.asyncresolver

    transports = []

    async def make(address):
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(lambda: Silent(address), local_addr=("127.0.0.1", 0))
        transports.append(transport)
        resolver = Resolver()
        resolver._resolver = dns.asyncresolver.Resolver(configure=False)
        resolver._resolver.nameservers = ["127.0.0.1"]
        resolver._resolver.port = transport.get_extra_info("sockname")[1]
        return resolver, server

    yield make
    for transport in transports:
        transport.close()


async def test_slow_dns_fails_the_start_after_its_deadline(site, dns):
    resolver, server = await dns(None)
    device = site.device("ws://signal.example.org", resolver=resolver, opening=0.1)
    with pytest.raises(SignalingUnavailable):
        await device.carrier.start(device.host)
    assert server.asked.is_set()


async def test_closing_does_not_wait_for_dns(site, dns):
    resolver, server = await dns(None)
    device = site.device("ws://signal.example.org", resolver=resolver, opening=30.0)
    starting = asyncio.create_task(device.carrier.start(device.host))
    await server.asked.wait()
    await device.carrier.aclose()
    with pytest.raises(ClosedError):
        await starting


async def test_names_are_resolved_by_the_contexts_resolver(site, url, dns):
    resolver, _ = await dns("127.0.0.1")
    device = site.device(url.replace("127.0.0.1", "signal.example.org"), resolver=resolver)
    await device.carrier.start(device.host)
    await device.host.until("up")


async def test_localhost_needs_no_dns(site, url, dns):
    resolver, server = await dns(None)
    device = site.device(url.replace("127.0.0.1", "localhost"), resolver=resolver)
    await device.carrier.start(device.host)
    assert not server.asked.is_set()


async def test_closing_twice_is_silent_and_everything_after_it_says_closed(site, url, wire):
    one, two = await site.pair(url)
    await one.carrier.aclose()
    await one.carrier.aclose()
    assert one.host.records == {}
    with pytest.raises(ClosedError):
        await one.ask("tablet-2")
    with pytest.raises(ClosedError):
        await one.carrier.start(one.host)
    await two.host.sees()


async def test_a_carrier_that_never_started_closes(site):
    await site.device("ws://127.0.0.1:1").carrier.aclose()


async def test_a_close_that_is_cancelled_closes_all_the_same(site, url):
    one, two = await site.pair(url)
    closing = asyncio.create_task(one.carrier.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    await two.host.sees()


async def test_closing_while_it_is_getting_back_ends_the_trying(site):
    server = await site.server()
    device = await site.started(server.urls()[0])
    await server.aclose()
    await device.host.until("down")
    await device.carrier.aclose()


async def test_a_taken_id_is_a_clear_reason_with_a_hint(site, url):
    await site.started(url, "tablet-1")
    twin = site.device(url, "Tablet-1")
    with pytest.raises(SignalingUnavailable, match="id-taken") as caught:
        await twin.carrier.start(twin.host)
    assert "id of its own" in caught.value.hint


async def test_requests_are_spread_to_the_rate_that_the_server_allows(site, wire):
    server = await site.server(rate=200.0, burst=5.0)
    one, _ = await site.pair(server.urls()[0])
    answers = await asyncio.gather(*(one.ask("tablet-2") for _ in range(30)))
    assert answers == [wire.answer] * 30
    assert one.host.states.empty()


def test_it_is_a_signaling(wire):
    assert isinstance(wire.make_carrier("ws://a"), Signaling)
