"""Hostile clients of a signal server each get their documented refusal; devices of the same room and of others notice nothing."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from cloud import CLOUD_ONLY, LINK_EVENTS, PORT, URL, events, health, signal_server

from netlab import INTERNET_ADDRESS, Lab, Process, matching
from site_devices import PROPERTY, end, hears, linked, says, up

ATTACKER = Path(__file__).parent / "support" / "ws_attacker.py"

REFUSED = {
    "not json": (4400, "bad-request"),
    "an array": (4400, "bad-request"),
    "deep nesting": (4400, "bad-request"),
    "bytes": (4400, "bad-request"),
    "something else before join": (4400, "bad-request"),
    "another version": (4426, "unsupported-version"),
    "no device id": (4400, "bad-request"),
    "not json, as a member": (4400, "bad-request"),
    "an unknown type": (4400, "bad-request"),
    "no addressee": (4400, "bad-request"),
    "no id": (4400, "bad-request"),
    "a second join": (4400, "bad-request"),
    "not utf-8": (1007, None),
    "no frame": (1002, None),
    "48 KiB and one byte": (1009, None),
    "10 MB": (1009, None),
    "10 MB in fragments": (1009, None),
    "a terabyte announced": (1009, None),
    "too large once it is written anew": (4413, "too-large"),
    "a flood of requests": (4429, "rate-limited"),
    "a flood of requests to nobody": (4429, "rate-limited"),
    "a flood of pings": (4429, None),
    "a flood of fragments": (4429, None),
    "the id of a living device": (4409, "id-taken"),
    "the id of a living device in capitals": (4409, "id-taken"),
    "a message from another device": (4403, "foreign-sender"),
    "a join from another device": (4403, "foreign-sender"),
    "no join": (4408, "too-slow"),
    "the 65th of a room": (4503, "room-full"),
}
"""What each attack costs: the close code, and the code of the ``error`` message before it."""

STATUS = {"a page of a browser": 403, "the 129th of an address": 503}
"""HTTP statuses of those that do not get as far as a WebSocket."""

GENUINE = [("tablet-1", PROPERTY), ("tablet-2", PROPERTY), ("tablet-3", "another"), ("tablet-4", "another")]


@pytest.mark.timeout(120)
async def test_every_hostile_client_has_its_refusal_and_devices_keep_talking_and_linking(lab: Lab) -> None:
    lan = lab.lan()
    server = await signal_server(lab.internet)
    one, two, three, four = devices = [
        await up(lan.host(f"host-of-{name}"), name, *CLOUD_ONLY, URL, property_id=property_id) for name, property_id in GENUINE
    ]
    await asyncio.gather(linked(one, "tablet-2"), linked(two, "tablet-1"), linked(three, "tablet-4"), linked(four, "tablet-3"))
    attacker = await lab.internet.spawn([sys.executable, str(ATTACKER), INTERNET_ADDRESS, str(PORT), PROPERTY, "tablet-1"])

    await attacker.wait_for(matching(event="half-open"), 60)
    await talk(one, "tablet-1", two, "tablet-2")
    await talk(three, "tablet-3", four, "tablet-4")
    await attacker.wait_for(matching(event="crowd"), 30)
    newcomers = [
        await up(lan.host(f"host-of-new-{number}"), f"new-{number}", *CLOUD_ONLY, URL, property_id=property_id)
        for number, property_id in enumerate((PROPERTY, "another"))
    ]
    await asyncio.gather(linked(one, "new-0"), linked(two, "new-0"), linked(three, "new-1"), linked(four, "new-1"))
    await talk(one, "tablet-1", newcomers[0], "new-0")
    await attacker.send_json("enough")
    await attacker.wait_for(matching(event="done"))
    await attacker.wait()

    assert await verdicts(attacker) == {name: {"close": close, "error": error} for name, (close, error) in REFUSED.items()}
    for device in devices:
        # That those who come and go under made-up names were not reached is told, and not at their rate.
        told = events(device, LINK_EVENTS)
        assert all(event.get("code") == "attempt-failed" and "mallory" in str(event["message"]) for event in told), device.transcript()
        lost = {str(event["peerId"]) for event in events(device, {"peer-lost"})}
        assert all(peer.startswith("mallory") for peer in lost), device.transcript()
    assert await health(lab.internet) == {"status": "ok", "rooms": 2, "devices": 6}
    await end(*devices, *newcomers)
    assert await health(lab.internet) == {"status": "ok", "rooms": 0, "devices": 0}
    await end(server)
    assert not [line for line in server.stderr_lines if "Traceback" in line], server.transcript()


async def talk(one: Process, its_id: str, other: Process, other_id: str) -> None:
    await says(one, other_id, f"to {other_id}")
    await hears(other, its_id, f"to {other_id}")
    await says(other, its_id, f"to {its_id}")
    await hears(one, other_id, f"to {its_id}")


async def verdicts(attacker: Process) -> dict[str, object]:
    """What the attacker saw of each attack in `REFUSED`, after the others have been checked."""
    said = {line.json["name"]: line.json for line in attacker.unread if line.json and line.json["event"] == "attack"}
    for name, status in STATUS.items():
        assert said[name]["status"] == status, said[name]
    # An upgrade that does not come is cut without a word, and so is who does not read.
    for name in ("nothing at all", "half an upgrade"):
        assert said.pop(name)["status"] is None
    assert said.pop("a slow reader")["close"] == 1006
    assert said.pop("who sent to the slow reader")["close"] == 1000
    assert said.pop("the heir of a frozen one")
    foreign = await attacker.wait_for(matching(event="foreign"))
    assert foreign["answers"] == [{"type": "error", "id": "r1", "code": "unreachable", "message": "nobody is not here"}] * 2
    return {name: {"close": each["close"], "error": each["error"]} for name, each in said.items() if name not in STATUS}
