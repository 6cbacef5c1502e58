"""Thousands of seeded lives of two links over a network that loses, doubles, delays and reorders, with crashes, stalls and partitions.

A failure names its seed and tells what happened. `live(seed, ...)` gives the same life again.
"""

from __future__ import annotations

import os

import pytest

from hallway.protocol.link import ANSWER_PATIENCE, MAX_CONNECT_PATIENCE
from hallway.protocol.redial import REDIAL_CAP
from hallway.testing.link_rig import NAMES, PromiseBroken, Rig, Weather, live

LIVES = 20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 600
SOON = MAX_CONNECT_PATIENCE + REDIAL_CAP + ANSWER_PATIENCE
"""Virtual seconds in which both links agree once the network works: what one doomed attempt may take at each end."""
SETTINGS = {
    "both see and reach": {},
    "only the lower id sees": {"sight": NAMES[:1]},
    "only the higher id sees": {"sight": NAMES[1:]},
    "only the lower id gets through": {"reach": NAMES[:1]},
    "only the higher id gets through": {"reach": NAMES[1:]},
}


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_once_the_faults_stop_both_ends_soon_agree_on_one_open_channel(setting):
    for seed in range(LIVES):
        outcome = live(seed, **setting)
        assert outcome.seconds is not None, outcome.rig.story()
        assert outcome.seconds <= SOON, outcome.rig.story()


def test_without_faults_one_dial_is_enough():
    for seed in range(50):
        rig = Rig(seed, Weather())
        for name in NAMES:
            rig.start(name)
        rig.run(3.0)
        assert rig.agreed, rig.story()
        ups = [effect for *_, effects in rig.trace for effect in effects if type(effect).__name__ == "Up"]
        assert len(ups) == 2, rig.story()


def test_the_same_seed_gives_the_same_life():
    one, other = live(7), live(7)
    assert (one.seconds, list(one.rig.trace)) == (other.seconds, list(other.rig.trace))


def test_a_broken_promise_tells_the_seed_and_what_happened():
    rig = Rig(42, Weather())
    rig.start("alpha")
    rig.start("Beta")
    rig.run(3.0)
    device = rig.devices["alpha"]
    device.link.current = None
    with pytest.raises(PromiseBroken, match="seed 42"):
        device.do("tampered", [])
