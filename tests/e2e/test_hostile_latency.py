"""A hostile member costs its own link, and a little of the time of others."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from faults import either, rank
from hostile_channel import ATTACKS

from netlab import Lab, Process, matching
from site_devices import PROPERTY, linked

# Round trips are timed, and the attacker has a core for itself.
pytestmark = pytest.mark.alone

SUPPORT = Path(__file__).parent / "support"
BEFORE = 2.0
"""Seconds of round trips with which the others are compared."""
EACH = either(1, 10)
"""Seconds of each attack."""
SETTLE = 1.0
SLOWER = either(20, 2.5)
"""How many times as long the 95th percentile of the round trips may be, of all attacks together. It is about 2 on a
machine with nothing else to do, and was 240 and more while whatever came in was worked on at once: all peers share
one loop."""
GROWTH = 50.0
"""MB."""


def memory(process: Process) -> float:
    """MB of resident memory."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def times(friend: Process) -> list[float]:
    """Milliseconds of each round trip since this was asked last."""
    await friend.send_json("")
    return (await friend.wait_for(matching(event="times")))["ms"]


@pytest.mark.attack("A21")
@pytest.mark.timeout(90 + len(ATTACKS) * (EACH + 5))
async def test_a_hostile_member_costs_its_own_link_and_little_of_the_time_of_others(lab: Lab) -> None:
    lan, cores = lab.lan(), sorted(os.sched_getaffinity(0))

    async def spawn(number: int, script: str, *arguments: str) -> Process:
        return await lan.host(f"host-{number}").spawn([sys.executable, str(SUPPORT / script), *arguments])

    victim = await spawn(1, "timed_device.py", "tablet-1", PROPERTY, str(cores[0]), "echoes", "tablet-2")
    friend = await spawn(2, "timed_device.py", "tablet-2", PROPERTY, str(cores[0]), "times", "tablet-1")
    await linked(victim, "tablet-2")
    hostile = await spawn(3, "hostile_channel.py", "mallory", PROPERTY, "tablet-1", str(cores[-1]))
    await hostile.wait_for(matching(event="linked"), 20)
    await linked(victim, "mallory")
    await asyncio.sleep(SETTLE)
    await times(friend)
    await asyncio.sleep(BEFORE)
    quiet, before = await times(friend), memory(victim)
    usual = told("nothing", quiet, 0.0)
    during: list[float] = []
    for name in ATTACKS:
        await hostile.send_json([name, EACH])
        await hostile.wait_for(matching(event="attacking"), 20)
        await times(friend)
        done = await hostile.wait_for(matching(event="attacked", attack=name), EACH + 20)
        took = await times(friend)
        during += took
        told(f"{name}, {done['links']} links lost", took, usual)
    ratio, growth = told("all", during, usual) / usual, memory(victim) - before
    print(f"A21 {growth:+.1f} MB")
    ended = [line.json for each in (victim, friend) for line in each.unread if line.json and line.json["event"] == "peer-disconnected"]
    for each in (hostile, friend, victim):
        await each.kill()

    assert len(quiet) > 100 * BEFORE * 0.9
    assert len(during) > 100 * EACH * len(ATTACKS) * 0.9
    assert {event["peerId"] for event in ended} == {"mallory"}
    assert growth < GROWTH
    assert ratio < SLOWER


def told(what: str, took: list[float], usual: float) -> float:
    """The 95th percentile, which is printed; beside ``usual`` if that is over 0. All are milliseconds."""
    found = rank(took, 0.95)
    beside = f", {found / usual:.2f} times the usual" if usual else ""
    print(f"A21 {what}: {len(took)} round trips, p50 {rank(took, 0.5)}, p95 {found}{beside}, max {max(took)} ms")
    return found
