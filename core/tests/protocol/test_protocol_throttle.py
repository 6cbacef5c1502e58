from __future__ import annotations

import pytest

from hallway.protocol.throttle import MAX_KEYS, Throttle


@pytest.fixture
def throttle() -> Throttle:
    return Throttle(60.0)


def test_the_same_thing_is_told_once_in_a_period(throttle: Throttle) -> None:
    assert [throttle.lets("a", now) for now in (0.0, 1.0, 59.9, 60.0, 61.0, 120.0)] == [True, False, False, True, False, True]


def test_other_things_are_told(throttle: Throttle) -> None:
    assert throttle.lets("a", 0.0)
    assert throttle.lets("b", 0.0)


def test_what_is_forgotten_is_news_again(throttle: Throttle) -> None:
    throttle.lets(("a", 1), 0.0)
    throttle.lets(("b", 1), 0.0)
    throttle.forget(lambda key: key[0] == "a")
    assert throttle.lets(("a", 1), 0.1)
    assert not throttle.lets(("b", 1), 0.1)


def test_whoever_makes_up_things_makes_nothing_grow(throttle: Throttle) -> None:
    for number in range(3 * MAX_KEYS):
        throttle.lets(number, number / 1000)
    assert len(throttle._told) == MAX_KEYS
