from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.protocol.heartbeat import INTERVAL, PATIENCE, SUSPICION, Heartbeat, Pulse


def beats(heartbeat: Heartbeat, until: float) -> list[tuple[float, Pulse]]:
    """What it decides when it is called exactly when it wants to be."""
    pulses = []
    while heartbeat.deadline <= until:
        now = heartbeat.deadline
        pulse = heartbeat.tick(now)
        assert pulse is not None
        pulses.append((now, pulse))
        if pulse is Pulse.DEAD:
            break
    return pulses


def test_silence_is_asked_about_and_then_is_death():
    assert beats(Heartbeat(0.0), 10.0) == [
        (INTERVAL, Pulse.ASK),
        (2 * INTERVAL, Pulse.ASK),
        (3 * INTERVAL, Pulse.ASK),
        (PATIENCE, Pulse.DEAD),
    ]


def test_nothing_is_due_before_the_interval():
    assert Heartbeat(0.0).tick(INTERVAL - 0.001) is None


def test_whatever_arrives_begins_the_silence_anew():
    heartbeat = Heartbeat(0.0)
    heartbeat.tick(INTERVAL)
    heartbeat.received(4.9)
    assert heartbeat.deadline == pytest.approx(4.9 + INTERVAL)
    assert heartbeat.tick(PATIENCE) is None


def test_suspicion_asks_at_once_and_shortens_the_patience():
    heartbeat = Heartbeat(0.0)
    heartbeat.suspect(1.0)
    assert beats(heartbeat, 10.0) == [(1.0, Pulse.ASK), (1.0 + SUSPICION, Pulse.DEAD)]


def test_suspicion_never_lengthens_the_patience():
    heartbeat = Heartbeat(0.0)
    heartbeat.suspect(4.5)
    assert heartbeat.dead_at == PATIENCE


def test_an_answer_lifts_suspicion():
    heartbeat = Heartbeat(0.0)
    heartbeat.suspect(1.0)
    heartbeat.received(1.2)
    assert heartbeat.dead_at == pytest.approx(1.2 + PATIENCE)


@pytest.mark.parametrize("slept", [INTERVAL, 4.0, 6.0, 60.0, 100_000.0])
def test_after_we_slept_the_peer_gets_another_chance(slept):
    heartbeat = Heartbeat(0.0)
    heartbeat.tick(INTERVAL)
    woken = heartbeat.deadline + slept
    assert heartbeat.tick(woken) is Pulse.ASK
    assert heartbeat.dead_at >= woken + SUSPICION
    heartbeat.received(woken + 0.1)
    assert heartbeat.tick(woken + 0.2) is None


def test_a_peer_that_is_gone_after_we_slept_is_dead_soon_after():
    heartbeat = Heartbeat(0.0)
    heartbeat.tick(1000.0)
    assert beats(heartbeat, 2000.0)[-1] == (1000.0 + SUSPICION, Pulse.DEAD)


@given(steps=st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["tick", "received", "suspect"])), max_size=40))
def test_there_is_always_a_deadline_that_a_tick_moves_on(steps):
    now, heartbeat = 0.0, Heartbeat(0.0)
    for wait, step in steps:
        now += wait
        due = heartbeat.deadline <= now
        if step == "tick":
            pulse = heartbeat.tick(now)
            assert (pulse is None) is not due
            if pulse is Pulse.DEAD:
                return
            assert heartbeat.deadline > now
        else:
            getattr(heartbeat, step)(now)
        assert heartbeat.deadline <= max(now, heartbeat.heard) + PATIENCE
