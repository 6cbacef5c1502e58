"""The server against rude clients: each gets a documented refusal and costs one connection; another room never notices."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hallway.errors import SignalingUnavailable
from hallway_cloud_ws_signaling import SignalServer
from hallway_cloud_ws_signaling._limits import MAX_MESSAGE


@pytest.fixture
async def others(site, wire):
    """Checks that two devices of another room still reach each other on a server, without having lost their connections."""
    pairs = {}

    async def make(url):
        one, two = await site.started(url, "calm-1", "calm"), await site.started(url, "calm-2", "calm")
        await one.host.sees("calm-2")
        pairs[url] = (one, two)

        async def check():
            assert await one.ask("calm-2") == wire.answer
            assert one.host.states.empty()
            assert two.host.states.empty()

        return check

    return make


async def http(url, *lines):
    """One raw HTTP exchange; the status and the body."""
    host, port = url.removeprefix("ws://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    body = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), head, body


async def test_health_tells_how_many_rooms_and_devices_there_are(site, url):
    await site.pair(url)
    await site.raw(url, "x", "another")
    status, head, body = await http(url, "GET /health?x=1 HTTP/1.1", "Host: a")
    assert status == 200
    assert "Content-Type: application/json" in head
    assert json.loads(body) == {"status": "ok", "rooms": 2, "devices": 3}


async def test_what_is_no_websocket_upgrade_is_told_so(url):
    assert (await http(url, "GET / HTTP/1.1", "Host: a"))[0] == 426


@pytest.mark.parametrize("head", [b"\x16\x03\x01 TLS", b"GET /" + b"y" * 9000, b"GET / HTTP/1.1\r\nX: " + b"y" * 9000, b"A: b\r\n" * 200])
async def test_what_is_no_http_ends_its_connection(url, others, head):
    check = await others(url)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(head + b"\r\n\r\n")
    assert b" 101 " not in await reader.read()
    writer.close()
    await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])
    await check()


async def test_pages_of_browsers_are_refused(url):
    with pytest.raises(InvalidStatus) as caught:
        await connect(url, origin="https://example.org", proxy=None)
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize(
    ("message", "ending"),
    [
        ("hello", (4400, "bad-request")),
        (b"\x00bytes", (4400, "bad-request")),
        ("[]", (4400, "bad-request")),
        ("[" * 10_000, (4400, "bad-request")),
        ('{"type": "news"}', (4400, "bad-request")),
        ('{"type": "join"}', (4400, "bad-request")),
        ('{"type": "request", "id": "1"}', (4400, "bad-request")),
        ('{"type": "request", "id": {}, "to": "calm-1"}', (4400, "bad-request")),
        ('{"type": "request", "id": "1", "to": "calm-1", "from": "calm-2"}', (4403, "foreign-sender")),
        ("x" * (MAX_MESSAGE + 1), (1009, "")),
    ],
)
async def test_a_message_that_is_not_as_it_must_be_ends_its_connection(site, url, others, message, ending):
    check = await others(url)
    rude = await site.raw(url, "rude")
    neighbour = await site.started(url, "tablet-1")
    await neighbour.host.sees("rude")
    await rude.ws.send(message)
    assert await rude.ended() == ending
    await neighbour.host.sees()
    await check()


async def test_invalid_utf8_ends_its_connection(site, url):
    rude = await site.raw(url, "rude")
    await rude.ws.send(b"\xff\xfe", text=True)
    assert await rude.ended() == (1007, "")


async def test_what_is_said_before_join_is_refused(site, url, wire):
    rude = await site.raw(url)
    await rude.send(**wire.request("calm-1"))
    assert await rude.ended() == (4400, "bad-request")


async def test_another_version_is_refused_by_name(site, url, wire):
    rude = await site.raw(url)
    await rude.send(**wire.join("a", version=2))
    assert await rude.ended() == (4426, "unsupported-version")


async def test_who_does_not_join_in_time_is_ended(site, others):
    url = (await site.server(open_time=0.2)).urls()[0]
    check = await others(url)
    assert await (await site.raw(url)).ended() == (4408, "too-slow")
    await check()


async def test_an_upgrade_that_never_ends_is_ended(site, others):
    server = await site.server(open_time=0.2)
    check = await others(server.urls()[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.urls()[0].rpartition(":")[2]))
    writer.write(b"GET / HTTP/1.1\r\nHost:")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    await check()


async def test_a_flood_of_messages_ends_its_connection(site, others, wire):
    url = (await site.server(burst=20.0)).urls()[0]
    check = await others(url)
    rude = await site.raw(url, "rude")
    neighbour = await site.raw(url, "neighbour")
    for _ in range(40):
        await rude.send(**wire.request("nobody"))
    assert await rude.ended() == (4429, "rate-limited")
    assert (await neighbour.expect("peer-left"))["deviceId"] == "rude"
    await check()


async def test_a_higher_rate_lets_more_frames_pass(site, wire):
    url = (await site.server(rate=1e6, burst=1e6)).urls()[0]
    sender = await site.raw(url, "sender")
    for number in range(3000):
        await sender.send(**wire.request("nobody", str(number)))
        await sender.expect("error")


async def test_a_flood_of_pings_ends_its_connection(site, url, others):
    check = await others(url)
    rude = await site.raw(url, "rude")
    rude.ws.transport.write(b"\x89\x80\x00\x00\x00\x00" * 20_000)
    assert (await rude.ended())[0] == 4429
    await check()


async def test_a_flood_of_fragments_ends_its_connection(site, url, others):
    check = await others(url)
    rude = await site.raw(url, "rude")
    rude.ws.transport.write(b"\x01\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * 20_000)
    assert (await rude.ended())[0] == 4429
    await check()


async def test_a_client_that_pings_and_does_not_read_is_disconnected(site, others):
    from hallway_cloud_ws_signaling._limits import FrameBounds

    server = await site.server(frames=FrameBounds(rate=1e9, burst=1e9, unsent=64 * 1024))
    check = await others(server.urls()[0])
    neighbour = await site.raw(server.urls()[0], "neighbour")
    rude = await site.raw(server.urls()[0], "rude")
    rude.ws.transport.pause_reading()
    pinging = asyncio.create_task(ping_for_ever(rude.ws))
    assert (await neighbour.expect("peer-left"))["deviceId"] == "rude"
    pinging.cancel()
    await asyncio.wait([pinging])
    await check()


async def ping_for_ever(ws):
    pings = (b"\x89\xfd\x00\x00\x00\x00" + b"x" * 125) * 500
    while not ws.transport.is_closing():
        ws.transport.write(pings)
        await asyncio.sleep(0)


async def test_a_client_that_reads_too_slowly_is_disconnected_and_its_sender_lives(site, others, wire):
    server = await site.server(rate=1e6, burst=1e6)
    url = server.urls()[0]
    check = await others(url)
    sender, slow = await site.raw(url, "sender"), await site.raw(url, "slow")
    slow.ws.transport.pause_reading()
    gone = asyncio.create_task(sender.expect("peer-left"))
    while not gone.done():
        await sender.send(**wire.request("slow", body="x" * 30_000))
        await asyncio.sleep(0)
    assert (await gone)["deviceId"] == "slow"
    await sender.send(**wire.request("nobody", "after"))
    while (await sender.expect("error"))["id"] != "after":
        pass
    await check()


async def test_an_id_that_is_present_is_refused_while_its_holder_lives(site, url, wire):
    holder = await site.started(url, "tablet-1")
    thief = await site.raw(url)
    await thief.send(**wire.join("TABLET-1"))
    assert await thief.ended() == (4409, "id-taken")
    assert holder.host.states.empty()


async def test_an_id_whose_holder_is_dead_goes_to_the_newcomer(site, wire):
    url = (await site.server(probe=0.2)).urls()[0]
    neighbour = await site.raw(url, "neighbour")
    dead = await site.raw(url, "tablet-1")
    dead.ws.transport.pause_reading()
    back = await site.started(url, "tablet-1")
    assert (await neighbour.expect("peer-left"))["deviceId"] == "tablet-1"
    assert (await neighbour.expect("peer-joined"))["epoch"] == "epoch-tablet-1"
    await neighbour.send(**wire.request("tablet-1"))
    await neighbour.expect("response")
    assert back.host.states.empty()


async def test_a_device_that_crashed_is_back_at_once(site, url):
    neighbour = await site.started(url, "neighbour")
    crashed = await site.raw(url, "tablet-1")
    await neighbour.host.sees("tablet-1")
    crashed.ws.transport.abort()
    await neighbour.host.sees()
    await site.started(url, "tablet-1")
    await neighbour.host.sees("tablet-1")


async def test_a_foreign_room_gives_the_same_answer_as_nobody(site, url, wire):
    await site.started(url, "there", "another")
    asker = await site.raw(url, "asker")
    await asker.send(**wire.request("there"))
    foreign = await asker.expect("error")
    await asker.send(**wire.request("nobody"))
    unknown = await asker.expect("error")
    assert foreign | {"message": ""} == unknown | {"message": ""}
    assert foreign["message"].replace("there", "nobody") == unknown["message"]


async def test_a_full_room_refuses_the_next_device(site):
    url = (await site.server(room=2)).urls()[0]
    await site.pair(url)
    third = site.device(url, "tablet-3")
    with pytest.raises(SignalingUnavailable, match="room-full"):
        await third.carrier.start(third.host)


@pytest.mark.parametrize("limits", [{"connections": 2}, {"address_connections": 2}])
async def test_beyond_its_connections_the_server_says_503(site, wire, limits):
    server = await site.server(**limits)
    url = server.urls()[0]
    one, two = await site.pair(url)
    with pytest.raises(SignalingUnavailable, match="503"):
        await site.started(url, "tablet-3")
    assert await one.ask("tablet-2") == wire.answer
    await two.carrier.aclose()
    await one.host.sees()
    while server.connections == 2:
        await asyncio.sleep(0)
    await site.started(url, "tablet-3")


async def test_addresses_are_counted_apart(site):
    url = (await site.server(address_connections=1)).urls()[0]
    await site.started(url)
    port = int(url.rpartition(":")[2])
    async with connect(url, host="127.0.0.1", port=port, local_addr=("127.0.0.2", 0), proxy=None):
        pass


async def test_closing_says_going_away_and_leaves_nothing(site):
    server = await site.server()
    url = server.urls()[0]
    joined, mute = await site.raw(url, "polite"), await site.raw(url)
    await server.aclose()
    assert (await joined.ended())[0] == 1001
    assert (await mute.ended())[0] == 1001
    assert server.connections == 0
    await server.aclose()


async def test_closing_does_not_wait_for_those_that_do_not_answer(site):
    server = await site.server(grace=0.2)
    url = server.urls()[0]
    (await site.raw(url, "stuck")).ws.transport.pause_reading()
    _, half_open = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    half_open.write(b"GET / HTTP/1.1\r\n")
    while server.connections < 2:
        await asyncio.sleep(0)
    await server.aclose()
    assert server.connections == 0
    half_open.close()
    await asyncio.wait([asyncio.ensure_future(half_open.wait_closed())])


async def test_a_taken_port_is_a_clear_error(site, url):
    server = SignalServer()
    with pytest.raises(SignalingUnavailable, match="cannot listen"):
        await server.start(port=int(url.rpartition(":")[2]))
    await server.aclose()


async def test_a_wildcard_names_the_addresses_of_this_machine(site):
    server = SignalServer()
    site.servers.append(server)
    await server.start("0.0.0.0", 0)
    assert server.urls()
    assert all("0.0.0.0" not in url for url in server.urls())
