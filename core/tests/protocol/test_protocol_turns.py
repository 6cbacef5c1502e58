"""One that sends much does not hold up those that send little, and loses nothing while it is alone."""

from __future__ import annotations

import pytest

from hallway.protocol.turns import ACTIVE, LONGEST, PATIENCE, REST, TURN, Turn, Turns


class Work:
    """Pieces of work of one party, on a clock that they share."""

    clock = 100.0

    def __init__(self, turns: Turns) -> None:
        self._turn = Turn(turns)

    def takes(self, seconds: float, *, after: float = 0.0) -> float:
        """Work, and return how long to rest."""
        Work.clock += after
        self._turn.begin(Work.clock)
        Work.clock += seconds
        self._turn.end(Work.clock)
        return self._turn.rest(Work.clock)


@pytest.fixture
def parties() -> tuple[Work, Work]:
    turns = Turns()
    return Work(turns), Work(turns)


def test_who_is_alone_only_lets_the_loop_turn(parties) -> None:
    assert [parties[0].takes(0.6 * TURN) for _ in range(4)] == pytest.approx([0.0, REST, 0.0, REST])


def test_who_keeps_the_loop_waits_as_long_as_it_did_while_another_one_is_active(parties) -> None:
    much, little = parties
    assert little.takes(0.1 * TURN) == 0.0
    assert much.takes(2 * TURN) == pytest.approx(PATIENCE * 2 * TURN)
    assert much.takes(2 * TURN, after=ACTIVE) == pytest.approx(REST)


def test_who_does_little_at_a_time_never_waits(parties) -> None:
    much, little = parties
    for _ in range(20):
        assert much.takes(2 * TURN) > 0
        assert little.takes(0.5 * TURN, after=2 * REST) == 0.0


def test_no_pause_is_long(parties) -> None:
    much, little = parties
    little.takes(0.0)
    assert much.takes(0.9 * ACTIVE) == pytest.approx(LONGEST)
