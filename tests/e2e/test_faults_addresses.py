"""Addresses that change, and records of which one address is dead."""

from __future__ import annotations

import pytest
from faults import Site, either, measured, move, now, p95, relinked, start, together, whole

from netlab import Lab


@pytest.mark.timeout(either(90, 900))
async def test_devices_that_change_their_addresses_are_linked_again_within_5_s(lab: Lab) -> None:
    async def some(site: Site, sides: int) -> float:
        devices = await site.pair()
        for place, device in enumerate(devices[:sides]):
            move(device.host, 90 + place)
        changed = now()
        seconds = await relinked(*devices, changed)
        assert any(device.link_events(changed) for device in devices), "the link neither moved nor was made anew"
        return seconds

    async def there_and_back(site: Site) -> float:
        one, two = await site.pair()
        fault = move(two.host, 90)
        there = await relinked(one, two, now())
        fault.restore()
        return max(there, await relinked(one, two, now()))

    async with Site(lab) as site:
        scenarios = (lambda site: some(site, 1), lambda site: some(site, 2), there_and_back)
        one, both, back = await together(measured(site, 2, 20, scenario) for scenario in scenarios)
    assert p95(one, "address of one end changed, linked") < 5
    assert p95(both, "addresses of both ends changed, linked") < 5
    assert p95(back, "address changed and changed back, linked") < 5


@pytest.mark.parametrize("dead", [0, 1], ids=["the first dead", "the second dead"])
@pytest.mark.timeout(60)
async def test_a_dead_one_of_two_addresses_in_the_record_costs_less_than_1_s(lab: Lab, dead: int) -> None:
    """Only the device that finds the record can dial: the other one's requests are lost on their way."""
    async with Site(lab) as site:
        one, two = site.device("tablet-1"), site.device("tablet-2")
        two.host.ip(f"addr add {two.host.lan.network[60]}/24 dev eth0")
        two.host.block_port("tcp", range(8090, 8100), "out")
        addresses = sorted([two.host.address, str(two.host.lan.network[60])])
        two.host.lose_address(addresses[dead])
        await start(one)
        ready = await two.start()
        await whole([one, two], ready)
        connected = await one.until(event="peer-connected")
        print(f"linked {connected.line['ms']:.0f} ms after the record")
        assert connected.line["ms"] < 1000, one.story()
