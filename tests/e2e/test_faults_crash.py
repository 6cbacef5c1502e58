"""Devices that die or are stopped: how soon the others notice, and how soon they are linked again."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from faults import Site, asleep, either, measured, now, p95, quiet, relinked, start, together, whole

from netlab import Lab

STOPPED = either(10, 60)
"""Seconds for which a process is stopped."""


@pytest.mark.timeout(either(90, 900))
async def test_a_killed_device_is_noticed_within_6_s_and_linked_within_3_s_of_its_return(lab: Lab) -> None:
    noticed: list[float] = []

    async def missed(site: Site) -> float:
        one, two = await site.pair()
        killed = now()
        await two.kill()
        noticed.append((await one.until(event="peer-disconnected", since=killed)).at - killed)
        return await relinked(one, two, await two.start())

    async def back_at_once(site: Site) -> float:
        one, two = await site.pair()
        await two.kill()
        return await relinked(one, two, await two.start())

    async with Site(lab) as site:
        again, sooner = await together([measured(site, 2, 20, missed), measured(site, 1, 20, back_at_once)])
    assert p95(noticed, "killed, noticed") < 6
    assert p95(again, "killed, linked after its return") < 3
    assert p95(sooner, "killed and back at once, linked after its return") < 3


@pytest.mark.timeout(either(90, 900))
async def test_stopped_processes_are_linked_within_3_s_once_they_go_on(lab: Lab) -> None:
    """One of two, and all of four: a building in which the tablets sleep at night. What goes on after 2 s has not even lost its link."""

    async def one_of_two(site: Site) -> float:
        one, two = await site.pair()
        return await relinked(one, two, await asleep(two, STOPPED))

    async def not_for_long(site: Site) -> float:
        one, two = await site.pair()
        begun = now()
        seconds = await relinked(one, two, await asleep(two, 2))
        quiet([one, two], begun)
        return seconds

    async def all_of_four(site: Site) -> float:
        devices = [site.device(f"tablet-{number}") for number in range(4)]
        await start(*devices)
        await whole(devices)
        for device in devices:
            device.freeze()
        await asyncio.sleep(STOPPED)
        thawed = max(device.thaw() for device in devices)
        return max(await together(relinked(one, two, thawed) for one, two in itertools.combinations(devices, 2)))

    async with Site(lab) as site:
        again, _, mesh = await together([measured(site, 1, 20, one_of_two), measured(site, 1, 20, not_for_long), all_of_four(site)])
    assert p95(again, "stopped, linked once it goes on") < 3
    assert mesh < 3
