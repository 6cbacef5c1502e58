"""Start and close, at any moment."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from hallway.errors import ClosedError, DiscoveryUnavailable, HallwayError
from hallway.testing.conformance.bench import cancelled, turns
from hallway.testing.conformance.discovery.bench import DiscoveryBase, DiscoveryBench, Pair
from hallway.testing.conformance.leftovers import Running, left_over
from hallway.testing.conformance.suite import requires

STEPS = (0, 1, 2, 3, 5, 8)


class Lifecycle(DiscoveryBase):
    """A discovery starts or fails whole, and closes whole."""

    async def test_closing_twice_is_silent(self, bench: DiscoveryBench) -> None:
        """One after another, and at once."""
        watcher = await bench.present()
        await asyncio.gather(watcher.discovery.aclose(), watcher.discovery.aclose())
        await watcher.aclose()

    async def test_closing_before_the_start_is_silent(self, bench: DiscoveryBench) -> None:
        """A discovery that never started closes as well."""
        watcher = bench.watcher()
        await watcher.aclose()
        await watcher.aclose()

    async def test_nothing_is_reported_after_closing(self, bench: DiscoveryBench) -> None:
        """What happens after `aclose` has returned is not told: the watcher would note it."""
        closed, watching = await bench.present(), await bench.looking()
        await self.notices(watching, closed)
        await closed.aclose()
        seen = dict(closed.peers)
        await self.notices(watching, await bench.present())
        assert closed.peers == seen

    async def test_a_closed_discovery_makes_nobody_known(self, bench: DiscoveryBench) -> None:
        """Advertising after `aclose` raises `ClosedError` or does nothing."""
        closed, watching = await bench.looking(), await bench.looking()
        await closed.aclose()
        with contextlib.suppress(ClosedError):
            await closed.discovery.advertise(bench.endpoints[:1])
        await self.notices(watching, await bench.present())
        assert closed.name not in watching.peers

    @requires("advertises")
    async def test_a_closed_discovery_refreshes_nothing(self, bench: DiscoveryBench) -> None:
        """A refresh after `aclose` is silent: no error, no report, nothing running, and nobody is known again."""
        closed, watching = await bench.present(), await bench.looking()
        await watching.sees(closed)
        before = Running()
        await closed.aclose()
        await closed.discovery.refresh()
        assert await left_over(before) == []
        if self.capabilities.goodbye:
            await watching.misses(closed)
            await watching.sees(await bench.present())
            assert closed.name not in watching.peers

    @pytest.mark.parametrize("after", STEPS)
    async def test_a_cancelled_start_leaves_nothing_running(self, bench: DiscoveryBench, after: int) -> None:
        """At whatever moment it is cancelled."""
        before = Running()
        watcher = bench.watcher()
        starting = bench.spawn(watcher.start())
        await cancelled(starting, after)
        if not starting.cancelled():
            await watcher.aclose()
        assert await left_over(before) == []

    @pytest.mark.parametrize("after", STEPS)
    async def test_closing_ends_a_start(self, bench: DiscoveryBench, after: int) -> None:
        """`aclose` may interrupt `start`, which returns or raises, and nothing is left."""
        before = Running()
        watcher = bench.watcher()
        starting = bench.spawn(watcher.start())
        await turns(after)
        await watcher.aclose()
        try:
            await starting
        except HallwayError:
            await watcher.aclose()
        assert await left_over(before) == []

    @pytest.mark.parametrize("after", [0, 1, 2, 5])
    async def test_a_cancelled_close_closes_nevertheless(self, bench: DiscoveryBench, pair: Pair, after: int) -> None:
        """After a cancelled `aclose` and another one nothing is left, and others do not see the device any more."""
        watching, watched = pair.watching, pair.watched
        await self.notices(watching, watched)
        before = Running()
        await cancelled(bench.spawn(watched.discovery.aclose()), after)
        await watched.aclose()
        assert await left_over(before) == []
        if self.capabilities.goodbye:
            await watching.misses(watched)

    @requires("hinderable")
    async def test_a_discovery_that_could_not_start_may_be_started_again(self, bench: DiscoveryBench) -> None:
        """`DiscoveryUnavailable`, with nothing left running; once it can, the same object starts and works."""
        late, friend = bench.watcher(), await bench.present()
        async with self.hindrance():
            before = Running()
            for _ in range(2):
                with pytest.raises(DiscoveryUnavailable):
                    await late.start()
            assert await left_over(before) == []
        await late.start()
        await late.discovery.advertise(bench.endpoints[1:])
        await asyncio.gather(self.notices(late, friend), self.notices(friend, late))
