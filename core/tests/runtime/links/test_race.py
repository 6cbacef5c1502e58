from __future__ import annotations

import asyncio
import gc
from functools import partial

import pytest

from hallway.errors import Unreachable
from hallway.runtime.links.race import RaceLost, race

NEVER = 3600.0


class Way:
    """A way that ends as it is told to."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.started = asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> str:
        self.started.set()
        try:
            return await self.outcome
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_the_second_way_starts_beside_the_first_and_the_loser_is_cancelled():
    one, two = Way(), Way()
    racing = asyncio.create_task(race([one, two], 0.01))
    await two.started.wait()
    two.outcome.set_result("two")
    assert await racing == "two"
    assert one.cancelled


async def test_a_way_that_fails_lets_the_next_start_at_once():
    one, two = Way(), Way()
    one.outcome.set_exception(Unreachable("one"))
    two.outcome.set_result("two")
    assert await race([one, two], NEVER) == "two"


async def test_a_way_that_works_at_once_keeps_the_others_from_starting():
    one, two = Way(), Way()
    one.outcome.set_result("one")
    assert await race([one, two], NEVER) == "one"
    assert not two.started.is_set()


async def test_the_race_is_lost_with_every_reason_once():
    ways = [Way() for _ in range(3)]
    for way, reason in zip(ways, ("no route", "refused", "no route"), strict=True):
        way.outcome.set_exception(Unreachable(reason))
    with pytest.raises(RaceLost, match=r"^no route; refused$") as lost:
        await race(ways, 0.0)
    assert len(lost.value.errors) == 3


async def test_a_cancelled_race_leaves_nothing_running():
    one = Way()
    racing = asyncio.create_task(race([one], 0.0))
    await one.started.wait()
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert one.cancelled


async def test_what_is_no_failure_of_the_network_ends_the_race():
    async def broken() -> str:
        raise RuntimeError("a bug")

    other = Way()
    with pytest.raises(RuntimeError):
        await race([other, partial(broken)], 0.0)
    assert other.cancelled


async def test_ways_that_fail_in_the_same_moment_as_another_works_leave_no_error_behind(caplog):
    *failing, works = [Way() for _ in range(8)]
    racing = asyncio.create_task(race([*failing, works], 0.0))
    await works.started.wait()
    for way in failing:
        way.outcome.set_exception(Unreachable("no route"))
    works.outcome.set_result("works")
    assert await racing == "works"
    gc.collect()
    assert "never retrieved" not in caplog.text
