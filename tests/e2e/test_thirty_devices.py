"""Thirty devices that start at the same instant: a full mesh, and no more than one channel for each pair."""

from __future__ import annotations

from collections import Counter

import pytest
from mesh import EACH, PROCESSES, mesh

from netlab import Lab

# Links of thirty devices miss their deadlines where something else takes the machine.
pytestmark = pytest.mark.alone

OTHERS = PROCESSES * EACH - 1


@pytest.mark.timeout(300)
async def test_thirty_devices_that_start_together_become_a_full_mesh_with_one_channel_for_each_pair(lab: Lab) -> None:
    made = await mesh(lab)
    # A dial that met a busy machine is an error that is told, and no link event.
    links = [line for line in made.events if "device" in line and line["event"] != "error"]
    told = Counter((line["device"], line.get("peerId"), line["event"]) for line in links)
    print(f"{len(told) // 2} links: {made.seconds:.1f} s from the last ready, {made.from_start:.1f} s in all, {made.cpu:.1f} s of CPU")
    assert {event for _, _, event in told} == {"peer-connected"}
    assert set(told.values()) == {1}
    assert len(told) == (OTHERS + 1) * OTHERS
    assert {len(set(peers)) for peers in made.open.values()} == {OTHERS}
