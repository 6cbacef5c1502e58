"""A bucket gives its burst at once and its rate from then on, whatever the clock does."""

from __future__ import annotations

from hallway.protocol.bucket import Bucket


def test_a_burst_passes_at_once_and_then_only_the_rate() -> None:
    bucket = Bucket(2.0, 3.0, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait(0.0) == 0.5
    assert bucket.take(0.5)
    assert not bucket.take(0.5)


def test_asking_takes_nothing() -> None:
    bucket = Bucket(1.0, 1.0, 0.0)
    assert [bucket.wait(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(0.0)


def test_a_clock_that_is_set_back_blocks_nobody() -> None:
    bucket = Bucket(1.0, 1.0, 100.0)
    assert bucket.take(100.0)
    assert bucket.wait(50.0) == 1.0
    assert bucket.take(51.0)
