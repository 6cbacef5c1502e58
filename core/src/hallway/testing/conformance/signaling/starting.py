"""How a carrier comes up."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from hallway.errors import HallwayError, SignalingUnavailable
from hallway.testing.conformance.bench import cancelled, turns
from hallway.testing.conformance.leftovers import Running, left_over
from hallway.testing.conformance.signaling.bench import ANSWER, SignalingBase, SignalingBench
from hallway.testing.conformance.suite import requires

STEPS = (0, 1, 2, 3, 5, 8, 13, 21)


class Starting(SignalingBase):
    """`start` ends with a carrier that is up, or with nothing."""

    async def test_a_carrier_that_has_started_says_that_it_is_up(self, bench: SignalingBench) -> None:
        """`up` was called when `start` returns, with URLs of the provider's schemes; those that others are to ask have no path."""
        for party in (bench.near, bench.far):
            assert party.listen is not None
            parts = [urlsplit(url) for url in party.listen]
            assert {part.scheme for part in parts} <= self.provider.schemes
            assert self.capabilities.presence or all(part.netloc and part.path in {"", "/"} for part in parts)

    @pytest.mark.parametrize("after", STEPS)
    async def test_a_cancelled_start_leaves_nothing_running(self, idle: SignalingBench, after: int) -> None:
        """At whatever moment it is cancelled."""
        before = Running()
        starting = idle.spawn(idle.near.start())
        await cancelled(starting, after)
        if not starting.cancelled():
            await idle.near.aclose()
        assert await left_over(before) == []

    @pytest.mark.parametrize("after", STEPS)
    async def test_closing_ends_a_start(self, idle: SignalingBench, after: int) -> None:
        """A carrier may be closed while it starts: `start` returns or raises, and nothing is left."""
        before = Running()
        starting = idle.spawn(idle.near.start())
        await turns(after)
        await idle.near.aclose()
        await idle.near.aclose()
        try:
            await starting
        except HallwayError:
            await idle.near.aclose()
        assert await left_over(before) == []

    @requires("hinderable")
    async def test_a_carrier_that_could_not_start_may_be_started_again(self, idle: SignalingBench) -> None:
        """`SignalingUnavailable`, with nothing left running and `up` not called; once it can, the same object starts and works."""
        await idle.far.start()
        async with self.hindrance():
            before = Running()
            for _ in range(2):
                with pytest.raises(SignalingUnavailable):
                    await idle.near.start()
            assert await left_over(before) == []
            assert idle.near.listen is None
        await idle.near.start()
        assert await idle.near.request(await idle.endpoint(idle.near, idle.far)) == ANSWER
        assert await idle.far.request(await idle.endpoint(idle.far, idle.near)) == ANSWER
