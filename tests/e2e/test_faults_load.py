"""A link that is busy, or whose peer is, is not a link that is dead."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from faults import PATIENCE, either, together

from netlab import Host, Lab, Process, matching

SCRIPT = Path(__file__).parent / "support" / "busy_device.py"
SECONDS, SLOW_SECONDS = either(6, 60), either(9, 60)


async def busy(host: Host, name: str, peer: str, *task: str) -> Process:
    return await host.spawn([sys.executable, str(SCRIPT), name, peer, *task])


async def end(device: Process) -> None:
    """End a device and see that its link did not break before."""
    await device.send_json("end")
    assert await device.wait(PATIENCE) == 0, device.transcript()
    events = [line.json["event"] for line in device.unread if line.json]
    assert events.count("peer-connected") == 1, device.transcript()
    assert "peer-disconnected" not in events, device.transcript()


async def bulk(lab: Lab, lan: str, taker: str, seconds: float, mbit: float | None = None) -> int:
    """How much one device sent to another one, whose application is a ``taker``, on a LAN of their own."""
    one, two = lab.lan(lan).host(f"{lan}-1"), lab.lan(lan).host(f"{lan}-2")
    with one.rate(mbit) if mbit else nullcontext():
        hub = await busy(two, "hub", "sender", *taker.split())
        sender = await busy(one, "sender", "hub", "sends", str(seconds))
        sent = await sender.wait_for(matching(event="sent"), PATIENCE + seconds)
        # What ends one must not look like a break at the other: the lines of stdin come at the same time.
        await together([end(sender), end(hub)])
    return int(sent["count"])


@pytest.mark.timeout(either(90, 200))
async def test_devices_whose_handlers_are_slow_stay_linked_while_another_one_sends_in_bulk(lab: Lab) -> None:
    """One awaits 12 s for each message, one blocks its whole process for 3 s, again and again."""
    assert all(await together(bulk(lab, task, task, SLOW_SECONDS) for task in ("awaits", "blocks")))


@pytest.mark.timeout(either(90, 200))
async def test_a_slow_path_that_bulk_data_fills_keeps_its_link(lab: Lab) -> None:
    """In one direction, and in both."""
    assert all(await together([bulk(lab, "one-way", "takes", SECONDS, 2), bulk(lab, "both-ways", f"sends {SECONDS}", SECONDS, 2)]))
