"""Who is seen, who is not, and what is told when it changes."""

from __future__ import annotations

import asyncio

import attrs

from hallway.model import Seen, Sighting
from hallway.testing.conformance.bench import DEADLINE
from hallway.testing.conformance.discovery.bench import DiscoveryBase, DiscoveryBench, Pair
from hallway.testing.conformance.suite import requires


class Sightings(DiscoveryBase):
    """Every peer of the property is seen, and nobody else."""

    @requires("advertises")
    async def test_a_device_is_found_with_its_facts(self, bench: DiscoveryBench, pair: Pair) -> None:
        """Whichever of the two came first, the record says who the device is and where it is reached."""
        watching, watched = pair.watching, pair.watched
        record = await watching.sees(watched)
        device = watched.device
        assert (record.device_id, record.property_id, record.device_type) == (device.device_id, device.property_id, device.device_type)
        assert (record.endpoints, record.epoch) == (bench.endpoints[:1], device.epoch)

    @requires("advertises")
    async def test_devices_find_each_other(self, bench: DiscoveryBench) -> None:
        """Among several devices that come at once each one sees all others."""
        devices = await asyncio.gather(*(bench.present() for _ in range(4)))
        names = {device.name for device in devices}
        for device in devices:
            for other in devices:
                if other is not device:
                    await device.sees(other)
            assert set(device.peers) == names - {device.name}

    @requires("advertises")
    async def test_a_device_that_does_not_advertise_is_not_found(self, bench: DiscoveryBench) -> None:
        """Browsing alone makes nobody known."""
        watching, hidden = await bench.looking(), await bench.looking()
        friend = await bench.present()
        await asyncio.gather(watching.sees(friend), hidden.sees(friend))
        assert set(watching.peers) == {friend.name}

    @requires("advertises")
    async def test_a_device_never_sees_itself(self, bench: DiscoveryBench) -> None:
        """Not even when others that advertise come and go."""
        one, two = await bench.present(), await bench.present()
        await asyncio.gather(one.sees(two), two.sees(one))
        assert (set(one.peers), set(two.peers)) == ({two.name}, {one.name})

    @requires("advertises")
    async def test_devices_of_another_property_are_not_reported(self, bench: DiscoveryBench) -> None:
        """Neither those that were there before nor those that come later."""
        elsewhere = "elsewhere-" + bench.property_id
        before = await bench.present(property_id=elsewhere)
        watching = await bench.present()
        after = await bench.present(property_id=elsewhere)
        friend = await bench.present()
        await asyncio.gather(before.sees(after), after.sees(before), watching.sees(friend))
        assert set(watching.peers) == {friend.name}
        assert set(before.peers) == {after.name}

    @requires("advertises", "updates")
    async def test_changed_endpoints_are_reported(self, bench: DiscoveryBench, pair: Pair) -> None:
        """The new record replaces the earlier one, there and back again."""
        watching, watched = pair.watching, pair.watched
        first, second = bench.endpoints
        await watching.sees(watched, endpoint=first)
        for endpoint in (second, first):
            await watched.discovery.advertise((endpoint,))
            await watching.sees(watched, endpoint=endpoint)

    @requires("advertises")
    async def test_endpoints_of_unknown_schemes_do_no_harm(self, bench: DiscoveryBench) -> None:
        """A plugin that can advertise only some schemes ignores the rest."""
        watching, watched = await bench.looking(), await bench.looking()
        await watched.discovery.advertise(("x-unknown://nowhere", bench.endpoints[0]))
        record = await watching.sees(watched)
        assert bench.endpoints[0] in record.endpoints

    @requires("advertises")
    async def test_a_refresh_loses_nobody_and_reports_nobody_again(self, bench: DiscoveryBench, pair: Pair) -> None:
        """It returns at once, and peers that are there stay, whoever of them refreshes."""
        watching, watched = pair.watching, pair.watched
        await watching.sees(watched)
        told = len(watching.sightings)
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(watching.discovery.refresh(), watched.discovery.refresh())
        friend = await bench.present()
        await watching.sees(friend)
        assert {_named(sighting) for sighting in watching.sightings[told:]} == {friend.name}
        assert set(watching.peers) == {watched.name, friend.name}

    @requires("advertises")
    async def test_a_refresh_makes_nobody_known_that_does_not_advertise(self, bench: DiscoveryBench) -> None:
        """Announcing again is no announcing."""
        watching, hidden = await bench.looking(), await bench.looking()
        await hidden.discovery.refresh()
        await watching.sees(await bench.present())
        assert hidden.name not in watching.peers

    @requires("advertises", "goodbye")
    async def test_a_withdrawn_device_is_gone_and_may_come_again(self, bench: DiscoveryBench, pair: Pair) -> None:
        """No endpoints mean that the device is not to be found; it still sees others."""
        watching, watched = pair.watching, pair.watched
        await watching.sees(watched)
        await watched.discovery.advertise(())
        await watching.misses(watched)
        await watched.discovery.advertise((bench.endpoints[1],))
        await watching.sees(watched, endpoint=bench.endpoints[1])
        await watched.sees(await bench.present())

    async def test_withdrawing_what_was_not_advertised_is_silent(self, bench: DiscoveryBench) -> None:
        """An empty tuple first, or twice, is no mistake."""
        watched = await bench.looking()
        await watched.discovery.advertise(())
        await watched.discovery.advertise(())
        await watched.discovery.advertise(bench.endpoints[:1])
        await self.notices(await bench.looking(), watched)

    @requires("advertises", "goodbye")
    async def test_a_device_that_closes_is_gone(self, pair: Pair) -> None:
        """Where the medium has a goodbye, closing says it."""
        watching, watched = pair.watching, pair.watched
        await watching.sees(watched)
        await watched.aclose()
        await watching.misses(watched)

    @requires("advertises", "updates")
    async def test_a_restarted_device_is_seen_with_its_new_epoch(self, bench: DiscoveryBench, pair: Pair) -> None:
        """A device that closed and came back under its name is told apart from its earlier self."""
        watching, watched = pair.watching, pair.watched
        await watching.sees(watched, epoch=watched.device.epoch)
        await watched.aclose()
        returned = await bench.present(attrs.evolve(watched.device, epoch="another-start"))
        await watching.sees(returned, epoch="another-start")

    @requires("advertises")
    async def test_a_newcomer_sees_only_who_is_still_there(self, bench: DiscoveryBench) -> None:
        """A device that looks later sees those who stayed, and not the one that left."""
        stayed, left = await bench.present(), await bench.present()
        await stayed.sees(left)
        await left.aclose()
        if self.capabilities.goodbye:
            await stayed.misses(left)
            newcomer = await bench.looking()
            await newcomer.sees(stayed)
            assert set(newcomer.peers) == {stayed.name}


def _named(sighting: Sighting) -> str:
    return sighting.record.device_id if isinstance(sighting, Seen) else sighting.device_id
