"""A hostile host on the LAN gets a documented error for everything, changes nothing, and disturbs nobody."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from netlab import Lab, matching
from site_devices import PROPERTY, end, hears, linked, says, up

ATTACKER = Path(__file__).parent / "support" / "attacker.py"

EXPECTED = {
    "not json": (400, "bad-request"),
    "not utf-8": (400, "bad-request"),
    "an array": (400, "bad-request"),
    "empty": (400, "bad-request"),
    "deep nesting": (400, "bad-request"),
    "deep nesting in a key": (400, "bad-request"),
    "wrong types": (400, "bad-request"),
    "sdp is a text": (400, "bad-request"),
    "candidates are a number": (400, "bad-request"),
    "no device id": (400, "bad-request"),
    "to somebody else": (404, "wrong-device"),
    "from itself": (400, "bad-request"),
    "wrong property": (403, "wrong-property"),
    "sdp without fingerprint": (422, "bad-description"),
    "sdp is garbage": (422, "bad-description"),
    "sdp with two sections": (422, "bad-description"),
    "sdp of 20 kB": (422, "bad-description"),
    "an unknown kind": (415, "unsupported-kind"),
    "answer to nothing": (404, "not-found"),
    "candidate for nothing": (404, "not-found"),
    "unknown path": (404, "not-found"),
    "10 MB announced": (413, "too-large"),
    "wrong method": (405, "bad-request"),
    "foreign host": (403, "forbidden"),
    "foreign origin": (403, "forbidden"),
    "a form": (415, "unsupported-kind"),
    "slow body": (408, "too-slow"),
}


@pytest.mark.timeout(120)
@pytest.mark.attack("A19")
async def test_every_bad_request_has_its_error_and_links_and_newcomers_are_not_disturbed(lab: Lab) -> None:
    lan = lab.lan()
    host = lan.host("host-1")
    one = await up(host, "tablet-1")
    two = await up(lan.host("host-2"), "tablet-2")
    await linked(one, "tablet-2")
    await linked(two, "tablet-1")
    attacker = await lan.host("host-4").spawn([sys.executable, str(ATTACKER), host.address, "8090", "tablet-1", PROPERTY])

    for name, (status, code) in EXPECTED.items():
        outcome = await attacker.wait_for(matching(event="attack", name=name), 30)
        assert outcome["status"] == status, outcome
        assert outcome["answer"]["error"] == code, outcome
        assert outcome["answer"]["message"], outcome
    # The device may close the connection before all of the body was sent: then there is no answer to read.
    oversized = await attacker.wait_for(matching(event="attack", name="10 MB sent"))
    assert oversized["status"] in (0, 413), oversized

    await attacker.wait_for(matching(event="crowd"))
    newcomer = await up(lan.host("host-3"), "tablet-3")
    await linked(newcomer, "tablet-1")
    await linked(one, "tablet-3")
    await says(two, "tablet-1", "undisturbed")
    await hears(one, "tablet-2", "undisturbed")
    await attacker.send_json("enough")
    await attacker.wait_for(matching(event="done"))
    await attacker.wait()
    await one.send_json({"command": "status", "tag": "s"})
    status_of_one = await one.wait_for(matching(event="result", tag="s"))
    await end(one, two, newcomer)

    assert {peer["peerId"] for peer in status_of_one["value"]["peers"]} == {"tablet-2", "tablet-3"}
    events = [line.json["event"] for line in [*one.unread, *two.unread] if line.json]
    assert "peer-path" not in events
