"""Proof that what we send arrives, and nothing else, keeps a peer alive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallway.protocol.heartbeat import ALERT, CALM, SUSPICION, Heartbeat, Pulse, Timing

TIMING = Timing()


def fresh() -> Heartbeat:
    return Heartbeat(TIMING, 0.0)


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


def test_without_proof_a_peer_is_asked_suspected_asked_more_often_and_then_dead():
    told = beats(fresh(), 10.0)
    assert told[:2] == [(1.0, Pulse.ASK), (1.5, Pulse.SUSPECT)]
    assert told[-1] == (5.0, Pulse.DEAD)
    assert [at for at, pulse in told if pulse is Pulse.ASK] == [1.0 + ALERT * number for number in range(8)]
    assert [pulse for _, pulse in told].count(Pulse.SUSPECT) == 1


def test_nothing_is_due_before_the_first_question():
    assert fresh().tick(TIMING.ping_after - 0.001) is None


def test_proof_begins_everything_anew():
    heartbeat = fresh()
    while heartbeat.deadline < 4.9:
        heartbeat.tick(heartbeat.deadline)
    assert heartbeat.suspected
    heartbeat.proved(4.9)
    assert not heartbeat.suspected
    assert heartbeat.deadline == pytest.approx(4.9 + TIMING.ping_after)
    assert heartbeat.tick(5.0) is None


def test_the_times_are_the_operators():
    told = beats(Heartbeat(Timing(suspect_after=0.3, lost_after=1.0), 0.0), 10.0)
    assert told[0] == (pytest.approx(0.2), Pulse.ASK)
    assert (0.3, Pulse.SUSPECT) in told
    assert told[-1] == (1.0, Pulse.DEAD)


def test_doubt_asks_at_once_and_shortens_the_patience():
    heartbeat = fresh()
    heartbeat.doubt(1.0)
    told = beats(heartbeat, 10.0)
    assert told[0] == (1.0, Pulse.ASK)
    assert told[-1] == (1.0 + SUSPICION, Pulse.DEAD)


def test_doubt_never_lengthens_the_patience():
    heartbeat = fresh()
    heartbeat.doubt(4.5)
    assert beats(heartbeat, 10.0)[-1] == (5.0, Pulse.DEAD)


def test_proof_lifts_doubt():
    heartbeat = fresh()
    heartbeat.doubt(1.0)
    heartbeat.proved(1.2)
    assert not heartbeat.doubted
    assert beats(heartbeat, 20.0)[-1] == (pytest.approx(1.2 + TIMING.lost_after), Pulse.DEAD)


@pytest.mark.parametrize("slept", [1.0, 4.0, 6.0, 60.0, 100_000.0])
def test_after_we_slept_the_peer_gets_another_chance(slept):
    heartbeat = fresh()
    assert heartbeat.tick(TIMING.ping_after) is Pulse.ASK
    woken = heartbeat.deadline + slept
    pulses = []
    while (pulse := heartbeat.tick(woken)) is not None:
        pulses.append(pulse)
    assert pulses[-1] is Pulse.ASK
    assert Pulse.DEAD not in pulses
    heartbeat.proved(woken + 0.1)
    assert heartbeat.tick(woken + 0.2) is None


def test_a_peer_that_is_gone_after_we_slept_is_dead_soon_after():
    heartbeat = fresh()
    heartbeat.tick(1000.0)
    assert beats(heartbeat, 2000.0)[-1] == (1000.0 + SUSPICION, Pulse.DEAD)


@given(steps=st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["tick", "proved", "doubt"])), max_size=40))
def test_there_is_always_a_deadline_that_ticks_move_on(steps):
    now, heartbeat = 0.0, fresh()
    for wait, step in steps:
        now += wait
        if step == "tick":
            pulses = []
            while (pulse := heartbeat.tick(now)) is not None:
                if pulse is Pulse.DEAD:
                    return
                pulses.append(pulse)
            assert len(pulses) <= 2
            assert heartbeat.deadline > now
        else:
            getattr(heartbeat, step)(now)
        assert heartbeat.deadline <= max(now, heartbeat.proved_at) + TIMING.lost_after


def test_a_doubt_soon_after_one_that_was_disproved_asks_but_sets_no_deadline():
    heart = Heartbeat(Timing(), 0.0)
    heart.doubt(1.0)
    assert heart.tick(1.0) is Pulse.ASK
    heart.proved(1.1)
    heart.doubt(1.2)
    assert heart.tick(1.2) is Pulse.ASK
    assert not heart.doubted
    pulses = [heart.tick(time / 10) for time in range(13, 60)]
    assert Pulse.DEAD not in pulses
    heart.proved(6.0)
    heart.doubt(1.1 + CALM)
    assert heart.doubted
