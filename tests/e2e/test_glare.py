"""Two devices that start at the same instant find each other at the same instant: one link, every time."""

from __future__ import annotations

import asyncio
import os

import pytest

from netlab import Host, Lab, Process, matching
from site_devices import end, linked, up

pytestmark = pytest.mark.second_lab

ROUNDS = 50 if "SOAK" in os.environ else 5
SIDE_BY_SIDE = 5


@pytest.mark.timeout(400)
async def test_simultaneous_starts_give_one_link_each_time(lab: Lab) -> None:
    """Rounds run in groups, each with a property of its own, so that they meet only their partners."""
    lan = lab.lan()
    pairs = [(lan.host(f"a-{number}"), lan.host(f"b-{number}")) for number in range(SIDE_BY_SIDE)]
    for start in range(0, ROUNDS, SIDE_BY_SIDE):
        await asyncio.gather(*(_round(*pair, f"property-{start + number}") for number, pair in enumerate(pairs)))


async def _round(host_a: Host, host_b: Host, property_id: str) -> None:
    devices = await asyncio.gather(up(host_a, "tablet-a", property_id=property_id), up(host_b, "tablet-b", property_id=property_id))
    a, b = devices
    await asyncio.gather(linked(a, "tablet-b"), linked(b, "tablet-a"))
    await _ping(a, "tablet-b", b)
    await _ping(b, "tablet-a", a)
    await end(a, b)
    for device in devices:
        events = [line.json["event"] for line in device.unread if line.json]
        assert "peer-connected" not in events, device.transcript()
        assert "peer-path" not in events, device.transcript()


async def _ping(sender: Process, peer_id: str, receiver: Process) -> None:
    await sender.send_json({"command": "send-to-peer", "peerId": peer_id, "message": "ping", "tag": "ping"})
    assert (await sender.wait_for(matching(event="result", tag="ping")))["ok"], sender.transcript()
    await receiver.wait_for(matching(event="message", message="ping"))
