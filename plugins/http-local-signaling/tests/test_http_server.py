"""The server to requesters that mean well."""

import asyncio
import logging

import pytest

from hallway.model import Envelope, Origin, Refusal, RefusalCode
from hallway_http_local_signaling._status import STATUS


async def test_health_names_the_device(rig, wire):
    reply = await rig.ask(wire.get("/health"))

    assert (reply.status, reply.json) == (200, {"status": "ok", "deviceId": "tablet-1"})


async def test_health_answers_over_ipv6(rig, wire):
    connection = await wire.raw.open(rig.server.port, "::1", "::1")
    await connection.send(wire.get("/health", host=f"[::1]:{rig.server.port}"))

    assert (await connection.reply()).status == 200
    await connection.close()


@pytest.mark.parametrize(("path", "kind"), [("/offer", "offer"), ("/answer", "answer"), ("/ice-candidate", "candidate")])
async def test_a_post_reaches_the_host_as_an_envelope(rig, wire, path, kind):
    reply = await rig.ask(wire.post(path, b"\x00not json\xff", content_type="Application/JSON; charset=utf-8"), "127.0.0.2")

    assert rig.host.seen == [(Envelope(kind, "application/json", b"\x00not json\xff"), Origin("http-local", "127.0.0.2"))]
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, wire.answer.body, "application/json")


async def test_a_sealed_body_passes_as_it_is(rig, wire):
    rig.host.outcome = Envelope("answer", "application/octet-stream", b"\x01sealed")
    reply = await rig.ask(wire.post("/offer", b"\x01opaque", content_type="application/octet-stream"))

    assert rig.host.seen[0][0].body == b"\x01opaque"
    assert (reply.headers["content-type"], reply.body) == ("application/octet-stream", b"\x01sealed")


async def test_accepted_is_an_empty_object(rig, wire):
    rig.host.outcome = Envelope.accepted()
    reply = await rig.ask(wire.post("/ice-candidate"))

    assert (reply.status, reply.body) == (200, b"{}")


@pytest.mark.parametrize("code", RefusalCode)
async def test_each_refusal_has_its_status_and_says_why(rig, wire, code):
    rig.host.outcome = Refusal(code, "because")
    reply = await rig.ask(wire.post("/offer"))

    assert (reply.status, reply.json) == (STATUS[code], {"error": code.value, "message": "because"})
    assert ("retry-after" in reply.headers) == (code is RefusalCode.RATE_LIMITED)


async def test_nothing_tells_which_software_runs_here(rig, wire):
    for request in (wire.get("/health"), wire.get("/nope"), b"nonsense\r\n\r\n"):
        assert "server" not in (await rig.ask(request)).headers


async def test_no_page_is_invited(rig, wire):
    reply = await rig.ask(wire.get("/health", f"Origin: http://127.0.0.1:{rig.server.port}", host=f"127.0.0.1:{rig.server.port}"))

    assert reply.status == 200
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["localhost", "TABLET-1.local", "tablet-1.local.:8090", "10.0.0.7:8090", "[fd00::7]:8090"])
async def test_its_names_and_any_address_are_served(rig, wire, host):
    assert (await rig.ask(wire.get("/health", host=host))).status == 200


async def test_requests_of_one_connection_are_answered_in_turn(rig, wire):
    connection = await wire.raw.open(rig.server.port)
    await connection.send(wire.post("/offer"), wire.get("/health"), wire.get("/health", "Connection: close"))

    assert [(await connection.reply()).status for _ in range(3)] == [200, 200, 200]
    assert await connection.ended() == b""
    await connection.close()


async def test_unknown_paths_and_wrong_methods_are_refused_as_json(rig, wire):
    missing = await rig.ask(wire.get("/nope"))
    assert (missing.status, missing.json["error"]) == (404, "not-found")

    for request, allowed in ((wire.get("/offer"), "POST"), (wire.post("/health"), "GET")):
        reply = await rig.ask(request)
        assert (reply.status, reply.headers["allow"], reply.json["error"]) == (405, allowed, "bad-request")


async def test_a_handler_that_fails_is_logged_and_tells_nothing(rig, wire, caplog):
    rig.host.error = RuntimeError("the secret")
    with caplog.at_level(logging.ERROR):
        reply = await rig.ask(wire.post("/offer"))

    assert (reply.status, reply.json["error"]) == (500, "internal")
    assert b"secret" not in reply.body
    assert "the secret" in caplog.text


async def test_hanging_up_cancels_the_handler(rig, wire):
    rig.host.hold = asyncio.Event()
    connection = await wire.raw.open(rig.server.port)
    await connection.send(wire.post("/offer"))
    await rig.host.begun.wait()
    await connection.close()

    await rig.host.cancelled.wait()
