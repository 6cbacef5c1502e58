"""The server to requesters that mean harm. Each attack ends by a bound, and others are served meanwhile."""

import asyncio
import gzip
import itertools
import logging
from collections import Counter

import pytest

from hallway.model import Refusal, RefusalCode
from hallway_http_local_signaling._status import STATUS

ATTACKER = "127.0.0.3"
GENUINE = "127.0.0.2"


async def connect(wire, rig, source=ATTACKER):
    return await wire.raw.open(rig.server.port, source)


async def flood(wire, rig, count):
    """``count`` idle connections, in batches that the listening queue can hold: what overflows it never reaches the server."""
    connections = []
    for start in range(0, count, 50):
        connections += await asyncio.gather(*(connect(wire, rig) for _ in range(start, min(start + 50, count))))
    return connections


async def close_all(connections):
    await asyncio.gather(*(connection.close() for connection in connections))


@pytest.mark.attack("A19")
async def test_a_body_of_ten_megabytes_is_refused_by_its_length(rig, wire):
    connection = await connect(wire, rig)
    await connection.send(b"POST /offer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n")
    reply = await connection.reply()

    assert (reply.status, reply.json["error"]) == (413, "too-large")
    assert await connection.ended() == b""
    assert rig.host.seen == []
    await connection.close()


@pytest.mark.attack("A19")
async def test_an_endless_chunked_body_is_refused_when_it_is_too_large(rig, wire):
    connection = await connect(wire, rig)
    await connection.send(
        b"POST /offer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    async def pour():
        try:
            while True:
                await connection.send(b"1000\r\n" + bytes(4096) + b"\r\n")
        except ConnectionError:
            return

    async with asyncio.TaskGroup() as group:
        group.create_task(pour())
        reply = await connection.reply()
        await connection.close()

    assert (reply.status, reply.json["error"]) == (413, "too-large")
    assert rig.host.seen == []


async def test_a_body_of_the_largest_size_passes(rig, wire):
    body = bytes(32 * 1024)

    assert (await rig.ask(wire.post("/offer", body))).status == 200
    assert (await rig.ask(wire.post("/offer", body + b"x"))).status == 413


@pytest.mark.attack("A19")
async def test_slow_headers_end_the_connection(start_rig, wire):
    rig = await start_rig(idle=0.1)
    connection = await connect(wire, rig)
    await connection.send(b"GET /health HTTP/1.1\r\nHost: 127")

    assert await connection.ended() == b""
    await connection.close()


@pytest.mark.attack("A19")
async def test_a_slow_body_is_timed_out(start_rig, wire):
    rig = await start_rig(body_time=0.1)
    connection = await connect(wire, rig)
    await connection.send(wire.post("/offer", bytes(1000))[:-1])
    reply = await connection.reply()

    assert (reply.status, reply.json["error"]) == (408, "too-slow")
    assert rig.host.seen == []
    await connection.close()


async def test_a_connection_ends_with_its_life_whatever_it_does(start_rig, wire):
    rig = await start_rig(life=0.1)
    rig.host.hold = asyncio.Event()
    connection = await connect(wire, rig)
    await connection.send(wire.post("/offer"))

    assert await connection.ended() == b""
    await rig.host.cancelled.wait()
    await connection.close()


@pytest.mark.attack("A19")
async def test_five_hundred_idle_connections_lock_nobody_out(start_rig, wire):
    rig = await start_rig(idle=60.0, life=60.0)
    attack = await flood(wire, rig, 500)
    ends = [asyncio.create_task(connection.ended()) for connection in attack]
    try:
        for ended in itertools.islice(asyncio.as_completed(ends), 492):
            assert await ended == b""
        assert rig.server.connections == 8
        assert (await rig.ask(wire.post("/offer"), GENUINE)).status == 200
        assert (await rig.ask(wire.get("/health"), ATTACKER)).status == 200
    finally:
        await close_all(attack)
        await asyncio.gather(*ends)


async def test_idle_connections_from_many_addresses_lock_nobody_out(rig, wire):
    attack = [await wire.raw.open(rig.server.port, f"127.0.1.{host}") for host in range(1, 13) for _ in range(8)]
    try:
        assert (await rig.ask(wire.post("/offer"), GENUINE)).status == 200
    finally:
        await close_all(attack)


async def test_a_connection_with_a_request_under_way_keeps_its_place(rig, wire):
    rig.host.hold = asyncio.Event()
    genuine = await connect(wire, rig)
    await genuine.send(wire.post("/offer"))
    await rig.host.begun.wait()
    attack = await flood(wire, rig, 100)
    rig.host.hold.set()

    assert (await genuine.reply()).status == 200
    await close_all([genuine, *attack])


async def test_an_address_over_its_rate_is_told_to_wait_and_others_are_not(rig, wire):
    statuses = [(await rig.ask(wire.get("/health"), ATTACKER)).status for _ in range(20)]
    refused = await rig.ask(wire.post("/offer"), ATTACKER)

    assert statuses == [200] * 20
    assert (refused.status, refused.json["error"], refused.headers["retry-after"]) == (429, "rate-limited", "1")
    assert (await rig.ask(wire.get("/health"), GENUINE)).status == 200
    assert rig.host.seen == []


async def test_several_devices_of_our_own_machine_share_a_larger_rate(rig, wire):
    assert [(await rig.ask(wire.post("/offer"))).status for _ in range(30)] == [200] * 30


async def flood_from_many(wire, rig, request, times):
    """``request``, so often from each of sixty addresses, as fast as they are answered; how often which status came."""

    async def one(source):
        return [(await rig.ask(request, source)).status for _ in range(times)]

    statuses = await asyncio.gather(*(one(f"127.0.1.{host}") for host in range(1, 61)))
    return Counter(itertools.chain.from_iterable(statuses))


@pytest.mark.attack("A19")
@pytest.mark.parametrize("code", [RefusalCode.UNAUTHENTICATED, RefusalCode.REPLAY])
async def test_sixty_addresses_of_nobody_take_nothing_from_who_belongs(start_rig, wire, code):
    rig = await start_rig(None, rate=0.001, burst=8.0)
    rig.host.outcome = Refusal(code, "refused")
    refused = await flood_from_many(wire, rig, wire.post("/offer"), 4)
    rig.host.outcome = wire.answer
    statuses = [(await rig.ask(wire.post("/offer"), GENUINE)).status for _ in range(8)]

    assert refused == {STATUS[code]: 240}
    assert statuses == [200] * 8


@pytest.mark.attack("A19")
@pytest.mark.parametrize("path", ["/health", "/nothing", "/pair"])
async def test_sixty_addresses_that_offer_nothing_take_nothing_from_who_belongs(start_rig, wire, path):
    rig = await start_rig(None, rate=0.001, burst=8.0)
    await flood_from_many(wire, rig, wire.post(path) if path == "/pair" else wire.get(path), 4)

    assert [(await rig.ask(wire.post("/offer"), GENUINE)).status for _ in range(8)] == [200] * 8


@pytest.mark.attack("A19")
async def test_what_sixty_addresses_make_us_work_is_bounded_in_all(start_rig, wire):
    rig = await start_rig(None, rate=0.001, burst=8.0)
    statuses = await flood_from_many(wire, rig, wire.post("/offer"), 4)

    assert statuses[200] == len(rig.host.seen) == 8
    assert statuses[429] == 232


@pytest.mark.attack("A19")
async def test_who_hangs_up_has_still_made_us_work(start_rig, wire):
    rig = await start_rig(None, rate=0.001, burst=1.0)
    rig.host.hold = asyncio.Event()
    connection = await connect(wire, rig)
    await connection.send(wire.post("/offer"))
    await rig.host.begun.wait()
    await connection.close()
    await rig.host.cancelled.wait()

    assert (await rig.ask(wire.post("/offer"), GENUINE)).status == 429


@pytest.mark.attack("A19")
async def test_all_addresses_together_have_a_rate_too(rig, wire):
    begun = asyncio.get_running_loop().time()
    statuses = []
    for block in range(2, 12):
        # As many at once as there may be connections.
        replies = await asyncio.gather(*(rig.ask(wire.post("/offer"), f"127.0.{block}.{host}") for host in range(1, 51)))
        statuses += [reply.status for reply in replies]
    most = 100 + 50 * (asyncio.get_running_loop().time() - begun)

    print(f"A19 500 requests of 500 addresses: {statuses.count(200)} answered, {statuses.count(429)} told to wait, {most:.0f} allowed")
    assert 100 <= statuses.count(200) == len(rig.host.seen) <= most
    assert set(statuses) == {200, 429}


@pytest.mark.attack("A19")
async def test_pipelining_is_bounded_by_the_rate(rig, wire):
    connection = await connect(wire, rig)
    await connection.send(wire.get("/health") * 1000)
    data = await connection.ended()

    assert data.count(b"HTTP/1.1 200") == 20
    assert data.count(b"HTTP/1.1 429") == 1
    assert data.count(b"HTTP/1.1 ") == 21
    await connection.close()


@pytest.mark.parametrize("host", ["evil.example", "tablet-2.local", "127.0.0.1.evil.example", "2130706433", "", "a:b:c"])
@pytest.mark.attack("A19")
async def test_a_rebound_name_is_refused(rig, wire, host):
    reply = await rig.ask(wire.post("/offer", host=host))

    assert (reply.status, reply.json["error"]) == (403, "forbidden")
    assert rig.host.seen == []


async def test_a_second_host_or_none_is_refused(rig, wire):
    assert (await rig.ask(wire.get("/health", "Host: 127.0.0.1"))).status in {400, 403}
    assert (await rig.ask(b"GET /health HTTP/1.0\r\n\r\n")).status == 403
    assert (await rig.ask(b"GET http://evil.example/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")).status == 403
    assert (await rig.ask(b"GET http://127.0.0.1/health HTTP/1.1\r\nHost: evil.example\r\n\r\n")).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"])
@pytest.mark.attack("A19")
async def test_pages_of_other_origins_are_refused(rig, wire, origin):
    reply = await rig.ask(wire.post("/offer", b"{}", f"Origin: {origin}"))

    assert (reply.status, reply.json["error"]) == (403, "forbidden")
    assert rig.host.seen == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
@pytest.mark.attack("A19")
async def test_what_a_form_can_send_is_refused(rig, wire, content_type):
    reply = await rig.ask(wire.post("/offer", content_type=content_type))

    assert (reply.status, reply.json["error"]) == (415, "unsupported-kind")
    assert rig.host.seen == []


@pytest.mark.attack("A19")
async def test_compressed_bodies_are_refused_unread(rig, wire):
    bomb = gzip.compress(bytes(10_000_000))
    reply = await rig.ask(wire.post("/offer", bomb[:1000], "Content-Encoding: gzip"))

    assert (reply.status, reply.json["error"]) == (415, "unsupported-kind")
    assert rig.host.seen == []


@pytest.mark.attack("A19")
async def test_heads_that_are_too_large_are_refused_and_fill_no_log(rig, wire, caplog):
    heads = [
        wire.get("/health", *(f"X-{number}: 1" for number in range(10_000))),
        wire.get("/health", "X: " + "a" * 5000),
        wire.get("/health?" + "a" * 5000),
    ]
    with caplog.at_level(logging.WARNING):
        for head in heads:
            reply = await rig.ask(head)
            assert (reply.status, reply.json["error"]) == (400, "bad-request")

    assert caplog.records == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40) + b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"POST /offer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /offer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /offer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_http_is_a_bad_request(rig, caplog, request_bytes):
    with caplog.at_level(logging.WARNING):
        reply = await rig.ask(request_bytes)

    assert (reply.status, reply.json["error"]) == (400, "bad-request")
    assert caplog.records == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"CONNECT evil.example:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"GET //evil.example/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET http://[bad/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"DELETE /offer HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /../health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
async def test_odd_requests_do_no_harm(rig, wire, caplog, request_bytes):
    with caplog.at_level(logging.WARNING):
        reply = await rig.ask(request_bytes)

    assert reply.status in {200, 400, 403, 404, 405}
    assert caplog.records == []
    assert rig.host.seen == []
    assert (await rig.ask(wire.get("/health"), GENUINE)).status == 200


async def test_joiners_may_send_four_kilobytes_to_a_device_that_hides_its_name(start_rig, wire):
    open_rig, rig = await start_rig(), await start_rig(name=None)
    replies = [await rig.ask(wire.post("/pair", bytes(size))) for size in (4096, 4097)]

    assert [reply.status for reply in replies] == [200, 413]
    assert [envelope.kind for envelope, _ in rig.host.seen] == ["pair"]
    assert (await rig.ask(wire.post("/offer", bytes(4097)))).status == 200
    assert (await open_rig.ask(wire.post("/pair"))).status == 404


async def test_a_long_body_to_pair_is_refused_before_it_is_there(start_rig, wire):
    rig = await start_rig(name=None)
    connection = await connect(wire, rig)
    await connection.send(b"POST /pair HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 4097\r\n\r\n")
    assert (await connection.reply()).status == 413
    await connection.close()
