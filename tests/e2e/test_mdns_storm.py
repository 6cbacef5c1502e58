"""A storm of lies by mDNS: nobody is trusted for it, links live, memory stays, and devices are found again when it is over."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from faults import either
from sealed_states import Property, sealed_up

from netlab import Host, Lab, Process, matching
from site_devices import end, hears, linked, says

# The attack wants a whole core for itself.
pytestmark = pytest.mark.alone

SCRIPT = Path(__file__).parent / "support" / "mdns_storm.py"
RATE = 5000
"""Packets a second."""
SECONDS = either(10, 60)
GROWTH = 20.0
"""MB that a device may have more when the storm is over."""
FOUND_AGAIN = 10.0
"""Seconds from the end of the storm."""


def memory(process: Process) -> float:
    """MB of resident memory."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def storm(host: Host) -> Process:
    """The attacker, which knows by their names all devices that are there."""
    process = await host.spawn([sys.executable, str(SCRIPT), str(max(os.sched_getaffinity(0))), host.address, "_hallway._tcp.local."])
    await process.wait_for(matching(event="ready"))
    return process


async def datagrams(host: Host) -> dict[str, int]:
    """The host's own count of what came by UDP (RFC 4113)."""
    names, numbers = [line.split() for line in (await host.run(["cat", "/proc/net/snmp"])).stdout.splitlines() if line.startswith("Udp:")]
    return {name: int(number) for name, number in zip(names[1:], numbers[1:], strict=True)}


async def talk(one: Process, two: Process, until: float) -> list[float]:
    """Round trips between both devices, two a second; what each took, in seconds."""
    took: list[float] = []
    while (begun := time.monotonic()) < until:
        word = f"word {len(took)}"
        await says(one, "tablet-1", word)
        await hears(two, "desk", word)
        await says(two, "desk", word)
        await hears(one, "tablet-1", word)
        took.append(time.monotonic() - begun)
        await asyncio.sleep(max(0.0, begun + 0.5 - time.monotonic()))
    return took


def told(*devices: Process) -> list[dict[str, Any]]:
    """What they printed and nobody has read."""
    return [line.json for device in devices for line in device.unread if line.json]


@pytest.mark.attack("A17")
@pytest.mark.timeout(60 + 2 * SECONDS)
async def test_links_live_through_a_storm_of_lies_and_devices_are_found_when_it_is_over(lab: Lab, tmp_path: Path) -> None:
    lan, site = lab.lan(), Property(tmp_path, "tablet-1")
    first, second, bad = (lan.host(f"host-{number}") for number in range(1, 4))
    one, two = await sealed_up(first, site.state("desk")), await sealed_up(second, site.state("tablet-1"))
    await asyncio.gather(linked(one, "tablet-1"), linked(two, "desk"))
    attacker = await storm(bad)
    await attacker.send_json("listen")
    heard = await attacker.wait_for(matching(event="heard"))
    assert len(heard["instances"]) == 2
    await talk(one, two, time.monotonic() + 1)
    before, came = {device: memory(device) for device in (one, two)}, await datagrams(first)

    await attacker.send_json({"seconds": SECONDS, "rate": RATE})
    took = await talk(one, two, time.monotonic() + SECONDS)
    over = await attacker.wait_for(matching(event="over"), SECONDS)
    ended = time.monotonic()
    rate = sum(over["sent"].values()) / over["seconds"]
    growth = [memory(device) - before[device] for device in (one, two)]
    came = {name: number - came[name] for name, number in (await datagrams(first)).items()}
    events = told(one, two)
    print(f"A17 {rate:.0f} packets a second for {over['seconds']:.1f} s: {over['sent']}")
    print(f"A17 {came['InDatagrams']} of them were read at one device, {came['RcvbufErrors']} came too fast for it")
    print(f"A17 {[round(each, 1) for each in growth]} MB more; {len(took)} round trips, the slowest {max(took):.2f} s")

    await end(two)
    await one.wait_for(matching(event="peer-lost", peerId="tablet-1"))
    two = await sealed_up(second, site.state("tablet-1"))
    for device, name in ((one, "tablet-1"), (two, "desk")):
        await device.wait_for(matching(event="peer-found", peerId=name, discovery="mdns"))
    await asyncio.gather(linked(one, "tablet-1"), linked(two, "desk"))
    again = time.monotonic() - ended
    print(f"A17 a device that started anew is found and linked {again:.1f} s after the storm")
    await attacker.kill()
    await end(one, two)

    assert rate > 0.95 * RATE
    # No host takes in what claims to come from itself.
    assert came["InDatagrams"] + came["RcvbufErrors"] > 0.95 * (sum(over["sent"].values()) - over["sent"]["goodbye"] / 2)
    assert not [event for event in events if event["event"] in ("peer-connected", "peer-disconnected", "peer-path", "message", "error")]
    assert {event["peerId"] for event in events if "peerId" in event} <= {"desk", "tablet-1"}
    assert max(growth) < GROWTH
    assert again < FOUND_AGAIN
