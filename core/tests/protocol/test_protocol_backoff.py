from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.protocol.backoff import Backoff


def test_delays_double_from_the_first_to_the_cap():
    backoff = Backoff(0.3, 1.5, lambda: 1.0)
    assert [backoff.next() for _ in range(5)] == [0.3, 0.6, 1.2, 1.5, 1.5]


def test_jitter_spreads_a_delay_over_its_upper_half():
    assert Backoff(1.0, 8.0, lambda: 0.0).next() == 0.5
    assert Backoff(1.0, 8.0, lambda: 0.5).next() == 0.75


def test_success_begins_again():
    backoff = Backoff(1.0, 8.0, lambda: 1.0)
    backoff.next()
    backoff.next()
    backoff.reset()
    assert backoff.next() == 1.0


@given(first=st.floats(0.001, 10), cap=st.floats(0.001, 100), draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=60))
def test_no_delay_is_beyond_the_cap_or_without_any_wait(first, cap, draws):
    feed = iter(draws)
    backoff = Backoff(first, cap, lambda: next(feed))
    assert all(0 < backoff.next() <= cap for _ in draws)


def test_a_very_long_outage_overflows_nothing():
    backoff = Backoff(0.3, 1.5, lambda: 1.0, failures=10**9)
    assert backoff.next() == pytest.approx(1.5)
