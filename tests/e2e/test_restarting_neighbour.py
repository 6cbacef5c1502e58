"""A device that runs for months meets its neighbours thousands of times: nothing of a link that is over may stay."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from faults import either

from netlab import Lab, matching

# What is on its way out when objects are counted depends on how busy the machine is.
pytestmark = pytest.mark.alone

SCRIPT = Path(__file__).parent / "support" / "restarting_neighbour.py"
WARM, ROUNDS = 20, int(either(60, 1000))
OBJECTS_A_ROUND = 5
"""What caches and timers take; a link that leaked has dozens."""
KB = 2500
"""What may be in use more in the end, caches and a heap in pieces included, however many rounds there were."""


@pytest.mark.timeout(600)
async def test_a_neighbour_that_restarts_again_and_again_leaves_nothing_behind(lab: Lab) -> None:
    process = await lab.lan().host("host").spawn([sys.executable, str(SCRIPT), str(WARM), str(ROUNDS)])
    warm, end = [await process.wait_for(matching(event="round", round=number), 500) for number in (WARM, ROUNDS)]
    print(f"{WARM} rounds: {warm}; {ROUNDS} rounds: {end}")
    assert await process.wait(30) == 0
    assert end["objects"] < warm["objects"] + OBJECTS_A_ROUND * (ROUNDS - WARM)
    assert end["kb_used"] < warm["kb_used"] + KB
