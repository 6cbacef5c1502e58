"""Every combination of the installed plugins, on this Python; `make matrix` does it on every Python."""

from __future__ import annotations

import pytest
from plugin_matrix.cells import IMPOSSIBLE, Cell, installed_cells
from plugin_matrix.report import NOT_TRIED, Run, page, problems, rows, text
from plugin_matrix.trying import Outcome, attempt

from hallway.network import InterfacePolicy
from hallway.testing.memory.signaling import SCHEME

CELLS = installed_cells()
POSSIBLE = [cell for cell in CELLS if not cell.impossible]


def test_the_matrix_has_every_plugin_of_this_repository():
    assert {cell.discovery for cell in CELLS} >= {"mdns", "memory", "static"}
    assert {cell.signaling for cell in CELLS} >= {"memory", "http-local", "cloud-ws"}
    assert {cell.channel for cell in CELLS} >= {"memory", "aiortc", "libwebrtc"}


def test_mdns_does_not_announce_what_the_matrix_says_it_cannot():
    from hallway_mdns_discovery._records import advertised

    loopback = tuple(InterfacePolicy(allow=("lo",), deny=()).addresses())

    assert {pair for pair in IMPOSSIBLE if pair[1] != "peer-relay"} == {("mdns", "memory")}
    assert advertised((f"{SCHEME}://tablet-1",), loopback) is None
    assert advertised(("http://127.0.0.1:8090",), loopback) is not None


@pytest.mark.parametrize("cell", POSSIBLE, ids=str)
async def test_two_devices_link_talk_in_order_and_close(cell: Cell):
    await attempt(cell)


def test_a_cell_that_failed_or_was_not_tried_shows():
    failed = Outcome(POSSIBLE[0], ok=False, problem="no link")
    run = Run("3.12.1", {"hallway": "1"}, (failed, *(Outcome(cell, ok=True, ms=1.0) for cell in POSSIBLE[1:-1])))
    states = {tuple(row[:3]): row[4] for row in rows(CELLS, [run])}

    assert states[POSSIBLE[0].names] == "FAILED"
    assert states[POSSIBLE[-1].names] == "missing"
    assert all(states[cell.names] == NOT_TRIED for cell in CELLS if cell.impossible)
    assert problems(CELLS, [run]) == [f"3.12 {POSSIBLE[0]}: no link", f"3.12 {POSSIBLE[-1]}: missing"]
    assert all(reason in shown for reason in IMPOSSIBLE.values() for shown in (text(CELLS, [run]), page(CELLS, [run])))
