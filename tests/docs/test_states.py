"""The page on the states of a link draws every row of the tables and tells what each member means."""

from __future__ import annotations

import re
import runpy
from enum import Enum
from typing import Any

import pytest
from docpages import ROOT

from hallway.protocol.attempt import TRANSITIONS, Phase, Step
from hallway.protocol.states import TABLE, State, Transition

GENERATED: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "generate_states.py"))
PAGE = (ROOT / "docs" / "explanation" / "link-states.md").read_text()
DIAGRAMS = re.findall(r"^```mermaid\nstateDiagram-v2\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def drawn(diagram: str) -> set[tuple[str, str, str]]:
    """Every arrow of a diagram: from where, by what, to where."""
    arrows = re.findall(r"^    (\w+) --> (\w+): (.+)$", diagram, re.MULTILINE)
    return {(start, transition, end) for start, end, transitions in arrows for transition in transitions.split(", ")}


def test_the_page_is_fresh() -> None:
    for path, text in GENERATED["pages"]().items():
        assert path.read_text() == text, "run `python docs/generate.py`"


@pytest.mark.parametrize(("diagram", "table", "last"), [(0, TABLE, State.CLOSED), (1, TRANSITIONS, Phase.ENDED)], ids=["link", "attempt"])
def test_every_row_of_a_table_is_an_arrow_and_every_arrow_a_row(diagram: int, table: Any, last: Enum) -> None:
    rows = {(start.value, transition.value, end.value) for (start, transition), end in table.items() if start is not last}
    assert drawn(DIAGRAMS[diagram]) == rows


@pytest.mark.parametrize("member", [*State, *Transition, *Phase, *Step], ids=str)
def test_every_state_and_every_transition_has_a_meaning(member: Enum) -> None:
    assert re.search(rf"^\| `{member.value}` \| \w.+\. \|$", PAGE, re.MULTILINE)
    assert GENERATED["meanings"](type(member))[member.value]
