"""Networks that fail and come back: what a link outlives without a word, and how soon it is back where it cannot."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from cloud import LOCAL_FIRST, URL, signal_server
from faults import Site, down_and_up, either, measured, now, number, p95, quiet, relinked, start, together, whole

from netlab import Lab

LOSS = {1: 4.0, 5: 8.0, 20: 60.0}
"""Percent of lost packets, and the seconds within which 95 of 100 links are open."""
FLAP = either(3, 5)
"""Seconds for which the internet is there, and then not."""


@pytest.mark.timeout(either(90, 900))
async def test_3_s_of_silence_go_unnoticed_and_what_lasts_longer_is_over_within_3_s_of_its_end(lab: Lab) -> None:
    """Longer: a partition, and one dead direction, which both ends notice within 6 s."""
    noticed: list[float] = []

    async def silence(site: Site) -> float:
        one, two = await site.pair()
        begun = now()
        talking = asyncio.gather(number(one, two, 5), number(two, one, 5))
        await down_and_up(one, two, 3)
        await talking
        quiet([one, two], begun)
        return 0

    async def partition(site: Site) -> float:
        one, two = await site.pair()
        return await relinked(one, two, await down_and_up(one, two, either(12, 60)))

    async def one_direction(site: Site) -> float:
        one, two = await site.pair()
        begun = now()
        with one.host.lose_packets_to(two.host):
            noticed.extend([(await device.until(since=begun, event="peer-disconnected")).at - begun for device in (one, two)])
        return await relinked(one, two, now())

    async with Site(lab) as site:
        scenarios = {silence: 1, partition: 2, one_direction: 1}
        _, parted, deaf = await together(measured(site, rounds, 20, scenario) for scenario, rounds in scenarios.items())
    assert p95(noticed, "one direction dead, noticed at each end") < 6
    assert p95(parted, "parted, linked after the end") < 3
    assert p95(deaf, "one direction dead, linked after the end") < 3


@pytest.mark.timeout(either(90, 900))
async def test_a_rebooting_router_that_gives_all_new_addresses_has_the_whole_mesh_back_within_10_s(lab: Lab) -> None:
    async with Site(lab) as site:
        devices = [site.device(f"tablet-{number}") for number in range(5)]
        await start(*devices)
        await whole(devices)
        figures = []
        for generation in range(int(either(1, 10))):
            for device in devices:
                device.host.link_down()
            await asyncio.sleep(either(8, 20))
            for place, device in enumerate(devices):
                device.host.change_address(f"10.77.0.{60 + 10 * generation + place}")
                device.host.link_up()
            up = now()
            figures.append(max(await together(relinked(one, two, up) for one, two in itertools.combinations(devices, 2))))
        assert p95(figures, "router rebooted, mesh of five whole") < 10


@pytest.mark.timeout(either(60, 150))
async def test_an_internet_that_comes_and_goes_every_5_s_is_not_felt_by_links_on_the_lan(lab: Lab) -> None:
    server = await signal_server(lab.internet)
    async with Site(lab) as site:
        devices = [site.device(f"tablet-{number}", LOCAL_FIRST, URL) for number in range(3)]
        await start(*devices)
        await whole(devices)
        begun = now()
        for round_number in range(int(either(2, 6))):
            with lab.cut_wan() if round_number % 2 else lab.black_hole_wan():
                await asyncio.sleep(FLAP)
            await together(number(one, two, FLAP) for one, two in itertools.permutations(devices, 2))
        quiet(devices, begun)
    await server.terminate()


@pytest.mark.timeout(either(150, 1800))
async def test_devices_that_start_while_packets_are_lost_are_linked(lab: Lab) -> None:
    async def linking(site: Site, percent: float) -> float:
        one, two = site.strangers()
        with one.host.lan.drop(percent):
            ready = await start(one, two)
            return await whole([one, two], ready, patience=120) - ready

    async with Site(lab) as site:
        figures = await together(measured(site, 2, 24, lambda site, percent=percent: linking(site, percent)) for percent in LOSS)
    late = [
        f"{percent} % loss: over {LOSS[percent]} s"
        for percent, each in zip(LOSS, figures, strict=True)
        if p95(each, f"linked at {percent} % loss") >= LOSS[percent]
    ]
    assert not late
