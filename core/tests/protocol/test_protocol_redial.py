"""When to dial again: never at the rate of whoever forges sightings, never more rarely than promised for a peer that was linked."""

from __future__ import annotations

import pytest

from hallway.protocol.redial import DIAL_PAUSE, LOSS_SPREAD, REDIAL_CAP, Redial


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
    assert redial.at == pytest.approx(1.1 + LOSS_SPREAD)


def test_a_loss_is_followed_by_a_dial_at_once(redial: Redial) -> None:
    redial.lost(5.0)
    assert redial.at == pytest.approx(5.0 + LOSS_SPREAD)


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


def test_a_cancelled_dial_is_not_due(redial: Redial) -> None:
    redial.failed(0.0)
    redial.cancel()
    assert not redial.is_due(1000.0)
