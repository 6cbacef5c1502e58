"""Whatever comes from outside is read, or refused by a declared error: valid samples that were changed step by step, and any bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.mutations import OPERATIONS, mutated
from tests.fuzz.target import TAKEN, Room, Run, Target
from tests.fuzz.targets import TARGETS

STEPS = st.lists(st.tuples(st.integers(0, len(OPERATIONS) - 1), st.integers(0, 2**32)), max_size=4)
SHARE, SLOW_SHARE = 2, 20
"""Of the examples that the profile gives a test, each of these targets has a half, a slow one a twentieth."""


@pytest.fixture(params=TARGETS.values(), ids=list(TARGETS))
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = request.param
    return found


@pytest.fixture
def run(target: Target, tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as closing:
        yield target.make(Room(tmp_path, closing))


@pytest.mark.fuzz
@pytest.mark.attack("A27")
def test_what_comes_in_is_taken_or_refused(target: Target, run: Run) -> None:
    """The samples are taken as they are: otherwise nothing that was changed would get beyond the first check."""
    samples = target.samples()
    assert [run(sample) for sample in samples] == [TAKEN] * len(samples)
    seeds = (*samples, *target.also())
    which = st.integers(0, len(seeds) - 1)

    @settings(max_examples=settings().max_examples // (SLOW_SHARE if target.slow else SHARE), suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=600) | st.tuples(which, which, STEPS))
    def check(made: bytes | tuple[int, int, list[tuple[int, int]]]) -> None:
        run(made if isinstance(made, bytes) else mutated(seeds[made[0]], seeds[made[1]], made[2]))

    check()
