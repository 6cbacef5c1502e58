"""One that sends much does not hold up those that send little, and loses nothing while it is alone."""

from __future__ import annotations

import pytest

from hallway.protocol.turns import ACTIVE, LONGEST, PATIENCE, REST, TURN, Turn, Turns

MOMENT = REST / 2
"""Seconds from the end of a piece of work until it is asked how long to rest."""


class Work:
    """Pieces of work of one party, on a clock that they share."""

    clock = 100.0

    def __init__(self, turns: Turns) -> None:
        self.turn = Turn(turns)

    def takes(self, seconds: float, *, after: float = 0.0) -> float | None:
        """Work, and return how long to rest a moment later."""
        Work.clock += after
        self.turn.begin(Work.clock)
        Work.clock += seconds
        self.turn.end(Work.clock)
        Work.clock += MOMENT
        return self.turn.rest(Work.clock)


@pytest.fixture
def parties() -> tuple[Work, Work]:
    turns = Turns()
    return Work(turns), Work(turns)


def test_who_is_alone_only_lets_the_loop_turn(parties) -> None:
    assert [parties[0].takes(0.6 * TURN) for _ in range(4)] == [None, 0.0, None, 0.0]


def test_a_rest_is_over_with_the_work_that_follows_it(parties) -> None:
    assert parties[0].takes(1.5 * TURN) == 0.0
    assert parties[0].takes(0.1 * REST) is None


def test_nothing_is_begun_while_it_is_time_to_rest(parties) -> None:
    much, little = parties
    little.takes(0.0)
    assert much.turn.try_begin(Work.clock)
    pause = much.takes(2 * TURN)
    assert pause is not None
    assert not much.turn.try_begin(Work.clock + pause - MOMENT)
    assert much.turn.try_begin(Work.clock + pause + MOMENT)


def test_who_keeps_the_loop_waits_as_long_as_it_did_while_another_one_is_active(parties) -> None:
    much, little = parties
    assert little.takes(0.1 * TURN) is None
    assert much.takes(2 * TURN) == pytest.approx(PATIENCE * 2 * TURN - MOMENT)
    assert much.takes(2 * TURN, after=ACTIVE) == 0.0


def test_who_does_little_at_a_time_never_waits(parties) -> None:
    much, little = parties
    for _ in range(20):
        assert much.takes(2 * TURN) is not None
        assert little.takes(0.5 * TURN, after=2 * REST) is None


def test_no_pause_is_long(parties) -> None:
    much, little = parties
    little.takes(0.0)
    assert much.takes(0.9 * ACTIVE) == pytest.approx(LONGEST - MOMENT)
