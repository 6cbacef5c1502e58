"""What counts as sleep: time that passed between two ticks, whichever clock shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.protocol.sleep import INTERVAL, LATE, SleepWatch

clocks = st.floats(-1e9, 1e9)


def ticks(*readings: tuple[float, float]) -> list[float | None]:
    watch = SleepWatch()
    return [watch.tick(*reading) for reading in readings]


def test_ticks_in_time_are_no_sleep_nor_is_the_first_one():
    assert ticks((500.0, 900.0), (501.0, 901.0), (502.3, 902.3)) == [None, None, None]


def test_a_stopped_process_has_slept_by_both_clocks():
    assert ticks((0.0, 0.0), (31.0, 31.0), (32.0, 32.0)) == [None, 30.0, None]


def test_a_suspended_machine_has_slept_by_the_boot_time_clock_alone():
    assert ticks((0.0, 0.0), (1.0, 3601.0), (2.0, 3602.0)) == [None, 3600.0, None]


def test_a_monotonic_clock_that_counts_sleep_is_enough():
    assert ticks((0.0, 0.0), (61.0, 0.0)) == [None, 60.0]


@pytest.mark.parametrize("late", [0.0, 0.5, LATE])
def test_a_tick_that_is_a_little_late_is_no_sleep(late):
    assert ticks((0.0, 0.0), (INTERVAL + late, INTERVAL + late)) == [None, None]


def test_a_clock_that_goes_backwards_is_no_sleep_and_hides_none():
    assert ticks((100.0, 100.0), (50.0, 101.0), (51.0, 40.0), (52.0, 61.0), (53.0, 62.0)) == [None, None, None, 20.0, None]


@given(st.lists(st.floats(0.0, INTERVAL + LATE), max_size=30), clocks, clocks)
def test_no_row_of_timely_ticks_is_sleep_wherever_the_clocks_start(steps, monotonic, boottime):
    watch = SleepWatch()
    watch.tick(monotonic, boottime)
    for step in steps:
        monotonic, boottime = round(monotonic + step * 0.99, 3), round(boottime + step * 0.99, 3)
        assert watch.tick(monotonic, boottime) is None


@given(clocks, clocks, st.floats(LATE + 0.01, 1e7), st.booleans())
def test_every_sleep_is_told_once_and_as_long_as_it_was(monotonic, boottime, slept, suspended):
    watch = SleepWatch()
    watch.tick(monotonic, boottime)
    monotonic += INTERVAL if suspended else INTERVAL + slept
    boottime += INTERVAL + slept
    assert watch.tick(monotonic, boottime) == pytest.approx(slept, abs=1e-4)
    assert watch.tick(monotonic + INTERVAL, boottime + INTERVAL) is None


@given(st.lists(st.tuples(clocks, clocks), max_size=20))
def test_whatever_the_clocks_say_sleep_is_longer_than_lateness(readings):
    assert all(slept is None or slept > LATE for slept in ticks(*readings))
