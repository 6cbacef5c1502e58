"""Coming up and going down: ports, and nothing left behind."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from hallway.errors import ClosedError, SignalingUnavailable
from hallway.network import InterfacePolicy
from hallway_http_local_signaling.listeners import open_listeners
from hallway_http_local_signaling.server import HttpServer


def close_all(sockets):
    for sock in sockets:
        sock.close()


def free_port():
    sockets, port = open_listeners(0)
    close_all(sockets)
    return port


def test_both_families_listen_on_one_port():
    sockets, port = open_listeners(0)
    with sockets[0]:
        assert {sock.getsockname()[1] for sock in sockets} == {port}
        assert len({sock.family for sock in sockets}) == len(sockets)
    close_all(sockets)


def test_a_taken_port_is_passed_over():
    taken, port = open_listeners(0)
    sockets, next_port = open_listeners(port)

    assert port < next_port < port + 10
    close_all([*taken, *sockets])


def test_when_all_ten_are_taken_the_error_names_them(all_taken):
    with pytest.raises(SignalingUnavailable, match=rf"{all_taken} to {all_taken + 9} ") as caught:
        open_listeners(all_taken)

    assert "plugins.http-local" in caught.value.hint


def test_listeners_opened_at_the_same_instant_get_ports_of_their_own():
    first = free_port()
    with ThreadPoolExecutor(5) as pool:
        opened = list(pool.map(lambda _: open_listeners(first), range(5)))
    ports = [port for _, port in opened]
    for sockets, _ in opened:
        close_all(sockets)

    assert len(set(ports)) == 5


async def test_two_servers_started_at_once_get_ports_of_their_own(wire):
    first = free_port()
    servers = [HttpServer(f"tablet-{number}", wire.host().handle, InterfacePolicy()) for number in range(3)]
    await asyncio.gather(*(server.start(first) for server in servers))

    assert len({server.port for server in servers}) == 3
    await asyncio.gather(*(server.aclose() for server in servers))


async def test_closing_with_slow_connections_ends_them_all_and_frees_the_port(start_rig, wire):
    rig = await start_rig(address_connections=64, own_share=1)
    slow = [await wire.raw.open(rig.server.port) for _ in range(64)]
    for number, connection in enumerate(slow):
        await connection.send(wire.post("/offer", bytes(100))[: -1 - number * 3])
    await rig.server.aclose()

    assert rig.server.connections == 0
    for connection in slow:
        await connection.ended()
        await connection.close()
    sockets, port = open_listeners(rig.server.port)
    close_all(sockets)
    assert port == rig.server.port


async def test_closing_ends_requests_under_way_and_waits_for_their_handlers(rig, wire):
    rig.host.hold = asyncio.Event()
    connection = await wire.raw.open(rig.server.port)
    await connection.send(wire.post("/offer"))
    await rig.host.begun.wait()
    await rig.server.aclose()

    assert rig.host.cancelled.is_set()
    await connection.close()


async def test_a_request_that_ends_within_the_grace_is_answered(start_rig, wire):
    rig = await start_rig(grace=5.0)
    rig.host.hold = asyncio.Event()
    connection = await wire.raw.open(rig.server.port)
    await connection.send(wire.post("/offer"), wire.get("/health"))
    await rig.host.begun.wait()
    closing = asyncio.create_task(rig.server.aclose())
    await asyncio.sleep(0)
    rig.host.hold.set()
    first = await connection.reply()

    assert (first.status, first.headers["connection"]) == (200, "close")
    await connection.close()
    await closing


async def test_while_it_closes_nothing_new_is_taken(start_rig, wire):
    rig = await start_rig(grace=5.0)
    slow = await wire.raw.open(rig.server.port)
    request = wire.post("/offer", b"0123456789")
    await slow.send(request[:-1])
    held = await wire.raw.open(rig.server.port)
    rig.host.hold = asyncio.Event()
    await held.send(wire.post("/offer"))
    await rig.host.begun.wait()
    closing = asyncio.create_task(rig.server.aclose())
    await asyncio.sleep(0)

    with pytest.raises(ConnectionError):
        await wire.raw.open(rig.server.port)
    await slow.send(request[-1:])
    late = await slow.reply()
    assert (late.status, late.json["error"]) == (503, "closing")
    assert len(rig.host.seen) == 1
    await slow.close()
    await held.close()
    await closing


async def test_closing_twice_is_silent_and_a_closed_server_does_not_start(rig):
    await rig.server.aclose()
    await rig.server.aclose()

    with pytest.raises(ClosedError):
        await rig.server.start(0)
