"""A server that is not what it should be costs us that connection, never memory, CPU or other plugins."""

from __future__ import annotations

import asyncio
import json
import ssl

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from hallway.errors import SignalingUnavailable, Unreachable
from hallway_cloud_ws_signaling._limits import MAX_MESSAGE, MAX_ROOM, FrameBounds


def joined(*peers, **more):
    members = [{"deviceId": peer, "deviceType": "tablet", "epoch": ""} for peer in peers]
    return json.dumps({"type": "joined", "version": 1, "peers": members, "limits": {"rate": 1000, "burst": 1000}, **more})


def request(sender, request_id, **more):
    fields = {"type": "request", "id": request_id, "from": sender, "kind": "offer", "contentType": "text/plain", "body": "x"}
    return json.dumps(fields | more)


def welcoming(script):
    """A server that lets us in once and then does as ``script`` says; the next connections it turns away."""
    used = []

    async def handler(ws):
        if used:
            return
        used.append(ws)
        await ws.recv()
        try:
            await script(ws)
            await ws.wait_closed()
        except ConnectionClosed:
            return

    return handler


@pytest.mark.parametrize(
    "first",
    [
        "hello",
        b"bytes",
        "[]",
        '{"type": "joined"}',
        '{"type": "joined", "version": 2, "peers": []}',
        '{"type": "joined", "version": 1, "peers": [1]}',
        '{"type": "joined", "version": 1, "peers": [{"deviceId": "../.."}]}',
        '{"type": "peer-left", "deviceId": "a"}',
        '{"type": "later"}',
        json.dumps({"type": "joined", "version": 1, "peers": [], "x": "y" * MAX_MESSAGE}),
    ],
)
async def test_what_is_no_welcome_fails_the_start(site, first):
    url = await site.stranger(welcoming(lambda ws: ws.send(first)))
    device = site.device(url)
    with pytest.raises(SignalingUnavailable):
        await device.carrier.start(device.host)
    assert device.host.states.empty()


async def test_a_server_that_says_nothing_fails_the_start_in_time(site):
    url = await site.stranger(welcoming(lambda ws: ws.wait_closed()))
    device = site.device(url, opening=0.2)
    with pytest.raises(SignalingUnavailable, match="in time"):
        await device.carrier.start(device.host)


async def test_a_server_of_another_kind_is_named(site):
    url = await site.stranger(welcoming(lambda ws: ws.send("")), process_request=lambda ws, _: ws.respond(404, "no"))
    device = site.device(url)
    with pytest.raises(SignalingUnavailable, match="404"):
        await device.carrier.start(device.host)


@pytest.mark.parametrize(
    "text", ["hello", b"bytes", '{"type": "peer-joined"}', '{"type": "request", "id": 7}', "[" * 5000, "x" * (MAX_MESSAGE + 1)]
)
async def test_a_broken_protocol_ends_the_connection_and_we_try_again(site, text):
    async def script(ws):
        await ws.send(joined("tablet-2"))
        await ws.send(text)

    device = await site.started(await site.stranger(welcoming(script)))
    await device.host.until("down")
    assert device.host.records == {}
    with pytest.raises(Unreachable):
        await device.ask("tablet-2")


async def test_no_more_peers_are_believed_than_a_room_has(site):
    async def script(ws):
        await ws.send(joined(*(f"a{number}" for number in range(200))))
        for number in range(200):
            await ws.send(json.dumps({"type": "peer-joined", "deviceId": f"b{number}", "deviceType": "t", "epoch": ""}))
        await ws.send(json.dumps({"type": "peer-left", "deviceId": "a0"}))

    device = await site.started(await site.stranger(welcoming(script)))
    while "a0" in device.host.records or not device.host.records:
        await device.host.sightings.get()
    assert len(device.host.records) == MAX_ROOM - 1
    assert not any(name.startswith("b") for name in device.host.records)


async def test_a_server_that_names_us_as_a_peer_is_ignored(site):
    async def script(ws):
        await ws.send(joined("TABLET-1", "tablet-2"))

    device = await site.started(await site.stranger(welcoming(script)))
    await device.host.sees("tablet-2")


async def test_a_flood_of_requests_is_handled_within_the_bounds(site):
    answered = asyncio.Event()

    async def script(ws):
        await ws.send(joined("tablet-2"))
        for number in range(300):
            await ws.send(request("tablet-2", f"r{number}"))
        await ws.send(request("tablet-2", "r0"))
        answered.set()

    device = site.device(await site.stranger(welcoming(script)), requests=4, read_rate=1000.0)
    device.host.hold = asyncio.Event()
    await device.carrier.start(device.host)
    await answered.wait()
    for _ in range(4):
        await device.host.begun.get()
    assert device.host.most == 4


async def test_a_server_that_sends_ever_more_is_read_no_faster_than_the_bound(site):
    sent = 0

    async def script(ws):
        nonlocal sent
        await ws.send(joined())
        news = json.dumps({"type": "news", "x": "y" * 40_000})
        while True:
            await asyncio.wait_for(ws.send(news), 0.3)
            sent += 1

    stuck = asyncio.Event()

    async def until_stuck(ws):
        try:
            await script(ws)
        except TimeoutError:
            stuck.set()

    device = await site.started(await site.stranger(welcoming(until_stuck)), read_rate=0.01, read_burst=20.0)
    await stuck.wait()
    assert sent < 1000
    assert device.carrier._session._connection.recv_messages.paused


async def test_a_flood_of_pings_ends_the_connection(site):
    async def script(ws):
        await ws.send(joined())
        while True:
            await ws.ping()
            await asyncio.sleep(0)

    device = await site.started(await site.stranger(welcoming(script)))
    assert "4429" in await device.host.until("down")


async def test_a_server_that_does_not_read_our_pongs_is_left(site):
    async def script(ws):
        await ws.send(joined())
        ws.transport.pause_reading()
        pings = (b"\x89\x7d" + b"x" * 125) * 500
        while ws.state is State.OPEN:
            ws.transport.write(pings)
            await asyncio.sleep(0)

    frames = FrameBounds(rate=1e9, burst=1e9, unsent=64 * 1024)
    device = await site.started(await site.stranger(welcoming(script)), frames=frames, ping=1000.0)
    await device.host.until("down")


async def test_a_server_that_throws_us_out_at_once_is_not_asked_ever_faster(site):
    joins = asyncio.Queue()

    async def handler(ws):
        await ws.recv()
        joins.put_nowait(None)
        await ws.send(joined())

    device = await site.started(await site.stranger(handler))
    for _ in range(4):
        await joins.get()
    assert device.carrier._backoff.failures >= 3


async def test_what_the_server_says_before_it_closes_is_the_reason(site):
    async def script(ws):
        await ws.send(joined())
        await ws.send('{"type": "error", "code": "rate-limited", "message": "20 messages a second are allowed"}')
        await ws.close(4429)

    device = await site.started(await site.stranger(welcoming(script)))
    assert await device.host.until("down") == "the signal server ended it: 20 messages a second are allowed (rate-limited)"


@pytest.fixture
def certificate(tmp_path):
    """A certificate for `localhost` alone, and its key, in one PEM file."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = tmp_path / "server.pem"
    path.write_bytes(secret + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("host", "trusted", "fails"), [("localhost", True, None), ("127.0.0.1", True, "certificate"), ("localhost", False, "certificate")]
)
async def test_tls_is_verified_against_the_name_in_the_url(site, certificate, monkeypatch, host, trusted, fails):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    url = await site.stranger(welcoming(lambda ws: ws.send(joined())), ssl=context)
    device = site.device(f"wss://{host}:{url.rpartition(':')[2]}")
    if fails is None:
        await device.carrier.start(device.host)
        await device.host.until("up")
        return
    with pytest.raises(SignalingUnavailable, match=fails):
        await device.carrier.start(device.host)
