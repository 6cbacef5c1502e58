"""When to dial again: never at the rate of whoever forges sightings, never more rarely than promised for a peer that was linked."""

from __future__ import annotations

import pytest

from hallway.protocol.redial import DIAL_PAUSE, PATIENT_SECONDS, REDIAL_CAP, SLOW_REDIAL_CAP, SPREAD, Redial


@pytest.fixture
def redial() -> Redial:
    return Redial(lambda: 1.0)


def test_the_first_dial_is_free(redial: Redial) -> None:
    assert redial.may_dial(0.0)
    assert redial.at is None


def test_news_right_after_a_dial_wait_until_they_may(redial: Redial) -> None:
    redial.dialed(1.0)
    assert not redial.may_dial(1.1)
    assert redial.at == 1.0 + DIAL_PAUSE
    assert redial.is_due(1.0 + DIAL_PAUSE)


def test_news_never_put_a_planned_dial_off(redial: Redial) -> None:
    redial.dialed(1.0)
    redial.lost(1.1)
    redial.may_dial(1.15)
    assert redial.at == pytest.approx(1.1 + SPREAD)


def test_a_loss_is_followed_by_a_dial_at_once(redial: Redial) -> None:
    redial.lost(5.0)
    assert redial.at == pytest.approx(5.0 + SPREAD)


def test_failures_stretch_the_wait_up_to_the_cap_and_an_open_link_resets_it(redial: Redial) -> None:
    waits = []
    for _ in range(5):
        redial.failed(0.0)
        waits.append(redial.at)
    redial.linked()
    assert redial.at is None
    redial.failed(0.0)
    assert waits == sorted(waits)
    assert waits[-1] == REDIAL_CAP
    assert redial.at == waits[0]


def test_the_wait_counts_from_the_start_of_the_dial_that_failed(redial: Redial) -> None:
    for _ in range(5):
        redial.failed(0.0)
    redial.dialed(10.0)
    redial.failed(11.4)
    assert redial.at == 10.0 + REDIAL_CAP
    redial.dialed(20.0)
    redial.failed(25.0)
    assert redial.at == pytest.approx(25.0 + SPREAD)


def test_a_peer_that_was_lost_is_dialed_often_for_minutes_and_then_less_so(redial: Redial) -> None:
    redial.linked()
    redial.lost(100.0)
    for now, cap in ((110.0, REDIAL_CAP), (100.0 + PATIENT_SECONDS - 1, REDIAL_CAP), (100.0 + PATIENT_SECONDS + 1, SLOW_REDIAL_CAP)):
        for _ in range(6):
            redial.dialed(now)
            redial.failed(now)
        assert redial.at == now + cap


def test_what_may_work_again_is_tried_as_soon_as_a_dial_may_follow_the_last(redial: Redial) -> None:
    redial.dialed(10.0)
    redial.failed(10.0)
    redial.soon(10.1)
    assert redial.at == 10.0 + DIAL_PAUSE
    redial.soon(20.0)
    assert redial.at == pytest.approx(20.0 + SPREAD)


def test_a_cancelled_dial_is_not_due(redial: Redial) -> None:
    redial.failed(0.0)
    redial.cancel()
    assert not redial.is_due(1000.0)
