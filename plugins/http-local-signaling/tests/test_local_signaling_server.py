"""The seed's server, alone."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.errors import ClosedError, ConfigError, MisuseError, SignalingUnavailable
from hallway.model import Refusal, RefusalCode
from hallway.network import InterfacePolicy
from hallway_http_local_signaling import LocalSignalingServer, SeedCandidate, SeedSession
from hallway_http_local_signaling._seed import read_candidate, read_session
from hallway_http_local_signaling.listeners import open_listeners

LOOPBACK = InterfacePolicy(allow=("lo*",))


def offer(**changes):
    message = {"from": "tablet-2", "to": "tablet-1", "sdp": {"type": "offer", "sdp": "v=0"}, "iceCandidates": []}
    return message | changes


@pytest.fixture
async def server():
    async with LocalSignalingServer("tablet-1", "property-123", "tablet", 0, interfaces=LOOPBACK) as server:
        yield server


@pytest.fixture
def post(server, wire):
    async def send(path, message):
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        connection = await wire.raw.open(server.port)
        try:
            await connection.send(wire.post(path, body))
            return await connection.reply()
        finally:
            await connection.close()

    return send


async def test_an_offer_reaches_the_callback_and_its_value_is_the_answer(server, post):
    seen = []

    @server.on_offer
    async def answer(offer):
        seen.append(offer)
        return {"from": "tablet-1", "to": offer["from"], "sdp": {"type": "answer", "sdp": "v=0 a"}, "iceCandidates": []}

    candidate = {"candidate": "candidate:1 1 udp 1 10.0.0.7 9 typ host", "sdpMid": "0"}
    reply = await post("/offer", offer(iceCandidates=[candidate], hallway={"v": 1}))

    assert reply.status == 200
    assert reply.json == {"from": "tablet-1", "to": "tablet-2", "sdp": {"type": "answer", "sdp": "v=0 a"}, "iceCandidates": []}
    assert (seen[0].sender, seen[0].to, seen[0].sdp["sdp"], seen[0].ice_candidates) == ("tablet-2", "tablet-1", "v=0", (candidate,))
    assert seen[0]["hallway"] == {"v": 1}


async def test_a_plain_callback_will_do_and_names_are_filled_in(server, post):
    server.on_offer(lambda offer: {"sdp": {"type": "answer", "sdp": "v=0"}})

    assert (await post("/offer", offer(to="TABLET-1"))).json == {
        "from": "tablet-1",
        "to": "tablet-2",
        "sdp": {"type": "answer", "sdp": "v=0"},
    }


async def test_no_value_is_no_content(server, post):
    server.on_offer(lambda offer: None)

    assert (await post("/offer", offer())).body == b"{}"


async def test_without_a_callback_offers_are_refused_and_the_rest_is_accepted(server, post):
    assert (await post("/offer", offer())).json["error"] == "busy"
    assert (await post("/answer", offer(sdp={"type": "answer", "sdp": "v=0"}))).body == b"{}"
    assert (await post("/ice-candidate", {"from": "tablet-2", "to": "tablet-1", "candidate": {"candidate": ""}})).body == b"{}"


async def test_answers_and_candidates_reach_their_callbacks(server, post):
    seen = []
    server.on_answer(seen.append)
    server.on_ice_candidate(seen.append)
    await post("/answer", offer(sdp={"type": "answer", "sdp": "v=0"}))
    await post("/ice-candidate", {"from": "tablet-2", "to": "tablet-1", "candidate": {"candidate": "candidate:1", "sdpMLineIndex": 0}})

    assert isinstance(seen[0], SeedSession)
    assert isinstance(seen[1], SeedCandidate)
    assert seen[1].candidate == {"candidate": "candidate:1", "sdpMLineIndex": 0}


HOSTILE = [
    (b"", "bad-request"),
    (b"{", "bad-request"),
    (b"\xff\xfe", "bad-request"),
    (b"null", "bad-request"),
    (b"[]", "bad-request"),
    (b"[" * 30_000, "bad-request"),
    (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "bad-request"),
    (b'{"from": NaN}', "bad-request"),
    (b'{"from": ' + b"9" * 10_000 + b"}", "bad-request"),
    (offer(**{"from": None}), "bad-request"),
    (offer(**{"from": "a b"}), "bad-request"),
    (offer(to=None), "bad-request"),
    (offer(to="tablet-9"), "wrong-device"),
    (offer(propertyId="another"), "wrong-property"),
    (offer(propertyId=None), "wrong-property"),
    (offer(sdp="v=0"), "bad-request"),
    (offer(sdp={"type": "answer", "sdp": "v=0"}), "bad-request"),
    (offer(sdp={"type": "offer", "sdp": 1}), "bad-request"),
    (offer(sdp={"type": "offer", "sdp": "\ud800"}), "bad-request"),
    (offer(iceCandidates={}), "bad-request"),
    (offer(iceCandidates=[1]), "bad-request"),
    (offer(iceCandidates=[{"candidate": None}]), "bad-request"),
    (offer(iceCandidates=[{"candidate": ""}] * 33), "bad-request"),
    (offer(iceCandidates=[{"candidate": "", "sdpMLineIndex": -1}]), "bad-request"),
    (offer(**{"from": "tablet-1"}), "bad-request"),
    (b'{"from": "tablet-2", "x": ' + b"[" * 100 + b"]" * 100 + b"}", "bad-request"),
]


@pytest.mark.parametrize(("message", "code"), HOSTILE)
async def test_hostile_offers_never_reach_the_callback(server, post, message, code):
    server.on_offer(lambda offer: pytest.fail("the callback was called"))
    reply = await post("/offer", message)

    assert reply.json["error"] == code
    assert reply.status == {"bad-request": 400, "wrong-device": 404, "wrong-property": 403}[code]


async def test_a_callback_that_raises_is_an_internal_error(server, post):
    server.on_offer(lambda offer: 1 / 0)

    assert (await post("/offer", offer())).json == {"error": "internal", "message": "handling the request failed"}


async def test_the_record_has_the_real_port(server):
    assert (server.record.id, server.record.property_id, server.record.device_type) == ("tablet-1", "property-123", "tablet")
    assert server.record.port == server.port > 0
    assert server.record.endpoints[0] == f"http://127.0.0.1:{server.port}"


async def test_it_takes_the_next_port():
    taken, first = open_listeners(0)
    server = LocalSignalingServer("tablet-1", "p", "tablet", first, interfaces=LOOPBACK)
    assert server.port == first
    async with server:
        assert first < server.port < first + 10
    for sock in taken:
        sock.close()


async def test_it_says_when_there_is_no_port_and_can_be_started_later(all_taken):
    server = LocalSignalingServer("tablet-1", "p", "tablet", all_taken, interfaces=LOOPBACK)
    for _ in range(2):
        with pytest.raises(SignalingUnavailable):
            await server.start()
    with pytest.raises(MisuseError):
        _ = server.record
    await server.stop()


async def test_misuse_is_told(server):
    with pytest.raises(MisuseError):
        await server.start()
    await server.stop()
    await server.stop()
    with pytest.raises((ClosedError, MisuseError)):
        await server.start()


def test_names_are_checked_all_at_once():
    with pytest.raises(ConfigError) as caught:
        LocalSignalingServer("tablet_1", "", "tab\nlet")

    assert [mistake.path for mistake in caught.value.mistakes] == ["device.id", "device.property", "device.type"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_reading_never_fails(body):
    assert isinstance(read_session(body, "offer", "tablet-1", "p"), Refusal)
    assert isinstance(read_candidate(body, "tablet-1", "p"), Refusal)


@given(st.sampled_from(["from", "to", "sdp", "iceCandidates", "propertyId"]), json_values)
def test_one_wrong_field_is_refused_or_harmless(key, value):
    outcome = read_session(json.dumps(offer(**{key: value})).encode(), "offer", "tablet-1", "p")

    assert isinstance(outcome, (SeedSession, Refusal))
    if isinstance(outcome, Refusal):
        assert outcome.code in {RefusalCode.BAD_REQUEST, RefusalCode.WRONG_DEVICE, RefusalCode.WRONG_PROPERTY}


async def test_two_servers_exchange_through_their_records(server, wire):
    async with LocalSignalingServer("tablet-2", "property-123", "tablet", 0, interfaces=LOOPBACK) as other:
        assert other.port != server.port
        replies = []
        for one in (server, other):
            connection = await wire.raw.open(one.record.port)
            await connection.send(wire.get("/health"))
            replies.append((await connection.reply()).json["deviceId"])
            await connection.close()
    assert replies == ["tablet-1", "tablet-2"]
    assert not [task for task in asyncio.all_tasks() if "http" in task.get_name()]


async def test_a_callback_that_stops_the_server_still_answers_its_own_request(server, post):
    @server.on_offer
    async def answer(offer):
        await server.stop()
        return {"sdp": {"type": "answer", "sdp": "v=0"}}

    reply = await post("/offer", offer())
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert reply.json["sdp"] == {"type": "answer", "sdp": "v=0"}
    with pytest.raises(ConnectionError):
        await post("/offer", offer())


async def test_two_callbacks_that_stop_the_server_do_not_wait_for_each_other(server, post):
    both = asyncio.Barrier(2)

    @server.on_offer
    async def answer(offer):
        await both.wait()
        await server.stop()

    replies = await asyncio.gather(post("/offer", offer()), post("/offer", offer(**{"from": "tablet-3"})))
    assert [reply.status for reply in replies] == [200, 200]


async def test_a_callback_that_stops_the_server_ends_the_requests_of_others(server, post, wire):
    begun, ended = asyncio.Event(), asyncio.Event()

    @server.on_ice_candidate
    async def never(candidate):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    @server.on_offer
    async def answer(offer):
        await server.stop()
        assert ended.is_set()

    stuck = await wire.raw.open(server.port)
    body = json.dumps({"from": "tablet-2", "to": "tablet-1", "candidate": {"candidate": ""}}).encode()
    await stuck.send(wire.post("/ice-candidate", body))
    await begun.wait()
    assert (await post("/offer", offer())).status == 200
    await stuck.ended()
    await stuck.close()


async def test_a_callback_that_stops_the_server_in_another_task_does_not_hang(server, wire):
    done = asyncio.Event()

    @server.on_offer
    async def answer(offer):
        try:
            await asyncio.wait_for(server.stop(), 5)
        finally:
            done.set()

    connection = await wire.raw.open(server.port)
    await connection.send(wire.post("/offer", json.dumps(offer()).encode()))
    await done.wait()
    await connection.ended()
    await connection.close()


async def test_stopping_from_outside_waits_for_a_callback_that_stopped_it(server, wire):
    stopped, finished, leave = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @server.on_offer
    async def answer(offer):
        await server.stop()
        stopped.set()
        await leave.wait()
        finished.set()

    connection = await wire.raw.open(server.port)
    await connection.send(wire.post("/offer", json.dumps(offer()).encode()))
    await stopped.wait()
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    leave.set()
    await stopping
    assert finished.is_set()
    assert (await connection.reply()).status == 200
    await connection.close()
