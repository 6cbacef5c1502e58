from __future__ import annotations

from itertools import product

import attrs
import pytest

from hallway.protocol.attempt import CONNECT_PATIENCE, MAX_CONNECT_PATIENCE, TRANSITIONS, Attempt, IllegalStep, Patience, Phase, Role, Step

ILLEGAL = [pair for pair in product(Phase, Step) if pair not in TRANSITIONS]


@pytest.mark.parametrize(("phase", "step"), ILLEGAL, ids=lambda each: each.value)
def test_a_step_that_the_table_does_not_have_changes_nothing(phase, step):
    attempt = Attempt(1, Role.OFFERER, phase, 3.0, "e")
    before = attrs.evolve(attempt)
    with pytest.raises(IllegalStep, match=f"{step.value} while {phase.value}"):
        attempt.apply(step, 9.0)
    assert attempt == before


@pytest.mark.parametrize(("phase", "step"), TRANSITIONS, ids=lambda each: each.value)
def test_a_legal_step_moves_on_and_takes_its_own_deadline(phase, step):
    attempt = Attempt(1, Role.ANSWERER, phase, 3.0)
    attempt.apply(step, 9.0)
    assert (attempt.phase, attempt.deadline) == (TRANSITIONS[phase, step], 9.0)
    if attempt.phase is not Phase.ENDED:
        attempt.apply(Step.END)
        assert attempt.deadline is None


def test_nothing_leads_out_of_the_end_and_everything_leads_to_it():
    assert {phase for phase, _ in TRANSITIONS} == set(Phase) - {Phase.ENDED}
    assert all((phase, Step.END) in TRANSITIONS for phase in Phase if phase is not Phase.ENDED)


def test_the_whole_road_of_an_offer_that_was_held():
    attempt = Attempt(1, Role.ANSWERER, Phase.HELD)
    for step in (Step.RELEASED, Step.ANSWERED, Step.OPENED, Step.GREETED, Step.END):
        attempt.apply(step)
    assert attempt.phase is Phase.ENDED


def test_a_device_gives_channels_more_time_while_they_do_not_open_in_time():
    patience = Patience()
    for _ in range(10):
        patience.missed()
    assert patience.seconds == MAX_CONNECT_PATIENCE
    for _ in range(10):
        patience.kept()
    assert patience.seconds == CONNECT_PATIENCE
