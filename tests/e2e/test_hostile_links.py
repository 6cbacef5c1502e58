"""One hostile member and one hostile stranger do what they can: honest links live, and newcomers link in time."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from netlab import Host, Lab, Process, matching
from site_devices import PROPERTY, end, hears, linked, says, up

pytestmark = pytest.mark.second_lab

SUPPORT = Path(__file__).parent / "support"
NEWCOMER = 5000.0
"""Milliseconds from the first sight of a newcomer to its link, at either end."""
ATTACK = 8.0
ALLOWED_GROWTH = 25.0
"""MB that all of it may cost a device; most is that of links and of what Python loads for them."""
MAX_EVENTS = 700


def memory(process: Process) -> float:
    """MB of resident memory."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu(process: Process) -> float:
    """Seconds of CPU that it has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def spawn(host: Host, script: str, *arguments: str) -> Process:
    return await host.spawn([sys.executable, str(SUPPORT / script), *arguments])


def disconnected(device: Process, peer_id: str) -> list[object]:
    return [line.json for line in device.unread if line.json and matching(event="peer-disconnected", peerId=peer_id)(line.json)]


@pytest.mark.timeout(90)
@pytest.mark.attack("A17", "A19", "A21")
async def test_honest_links_live_and_newcomers_link_while_a_member_and_a_stranger_attack(lab: Lab) -> None:
    lan = lab.lan()
    first, second, bad, foreign, third = (lan.host(f"host-{number}") for number in range(1, 6))
    one, two = await up(first, "tablet-1"), await up(second, "tablet-2")
    await asyncio.gather(linked(one, "tablet-2"), linked(two, "tablet-1"))
    member = await spawn(bad, "hostile_member.py", "mallory", PROPERTY, "tablet-1", second.address)
    await member.wait_for(matching(event="linked"), 20)
    stranger = await spawn(foreign, "hostile_stranger.py", foreign.address, PROPERTY, "tablet-1", first.address, "tablet-2")
    await stranger.wait_for(matching(event="ready"), 20)
    before, busy = memory(one), cpu(one)
    await asyncio.sleep(ATTACK)
    print(f"{memory(one) - before:+.1f} MB, {cpu(one) - busy:.1f} s of CPU in {ATTACK} s, {len(one.unread)} lines")

    newcomer = await up(third, "tablet-3")
    waits = linked(newcomer, "tablet-1"), linked(one, "tablet-3"), linked(newcomer, "tablet-2"), linked(two, "tablet-3")
    took = [connected["ms"] for connected in await asyncio.gather(*waits)]
    print(f"the newcomer linked in {took} ms")
    for sender, name, receiver, to in ((one, "tablet-1", two, "tablet-2"), (two, "tablet-2", one, "tablet-1")):
        await says(sender, to, "alive")
        await hears(receiver, name, "alive")
    growth, lines = memory(one) - before, len(one.unread)
    print(f"{growth:+.1f} MB, {lines} lines")

    assert disconnected(one, "tablet-2") == disconnected(two, "tablet-1") == []
    assert max(took) < NEWCOMER
    assert growth < ALLOWED_GROWTH
    assert lines < MAX_EVENTS
    for host in (first, second):
        assert host.packets_outside_lan() == 0, host.destinations_outside_lan()
    await stranger.kill()
    await member.kill()
    await end(one, two, newcomer)
