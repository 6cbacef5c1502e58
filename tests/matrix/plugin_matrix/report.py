"""The outcome of all Pythons: a table for people, a page for the docs, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from plugin_matrix.cells import ROLES, Cell
from plugin_matrix.exchange import MESSAGES
from plugin_matrix.trying import Outcome

NOT_TRIED = "cannot"
"""What stands in a table for a combination that can't work by nature."""

MISSING = "missing"
"""What stands there for one that a Python did not try, because it has other plugins."""

PAGE = """# Which plugins work together

<!-- Written by `make matrix`; do not edit. -->

Every discovery with every signaling with every channel. In each cell two devices on the loopback interface were linked by exactly these
three plugins, sent each other {messages} messages at the same time and got all of them in order. Then one was closed, the other was told
`bye` and was closed too, and every process ended with status 0. Where no plugin keeps its state in the memory of one process, each device
was a process of its own (`hallway up --json`). The third process, or the second beside two devices in one, is a `hallway signal-server`.

{table}

`{cannot}`: can't work by nature, for the reason in its note.

## Notes

{notes}

## Versions

{versions}

`make matrix` tries it again: with every plugin that is installed, on every Python from 3.11 to 3.13 that is on the `PATH` or in pyenv. This
page: Python {pythons}.
"""


@attrs.frozen
class Run:
    """The whole matrix on one Python."""

    python: str
    distributions: dict[str, str]
    outcomes: tuple[Outcome, ...]

    @property
    def minor(self) -> str:
        """Such as ``3.12``."""
        return self.python.rpartition(".")[0]

    def state(self, cell: Cell) -> str:
        """What stands in the table for ``cell``."""
        if cell.impossible:
            return NOT_TRIED
        return next(("ok" if outcome.ok else "FAILED" for outcome in self.outcomes if outcome.cell == cell), MISSING)


def header(runs: Sequence[Run]) -> list[str]:
    """The names of the columns."""
    return [*ROLES, "processes", *(run.minor for run in runs), "note"]


def rows(cells: Sequence[Cell], runs: Sequence[Run]) -> Iterator[list[str]]:
    """One row per cell; the last column is the number of its note."""
    remarks = _remarks(cells)
    for cell in cells:
        note = str(remarks.index(cell.remark) + 1) if cell.remark else ""
        processes = (1 if cell.shares_process else 2) + cell.needs_server
        yield [*cell.names, "" if cell.impossible else str(processes), *(run.state(cell) for run in runs), note]


def text(cells: Sequence[Cell], runs: Sequence[Run]) -> str:
    """For a terminal."""
    lines = [header(runs), *rows(cells, runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    notes = [f"note {number}: {remark}" for number, remark in enumerate(_remarks(cells), 1)]
    return "\n".join([*table, *notes])


def page(cells: Sequence[Cell], runs: Sequence[Run]) -> str:
    """For the docs: no machine, no time, so that it changes only with what it tells."""
    lines = [header(runs), ["---"] * len(header(runs)), *rows(cells, runs)]
    versions = {name: version for run in runs for name, version in run.distributions.items()}
    return PAGE.format(
        messages=MESSAGES,
        table="\n".join(f"| {' | '.join(line)} |" for line in lines),
        cannot=NOT_TRIED,
        notes="\n".join(f"{number}. {remark}." for number, remark in enumerate(_remarks(cells), 1)),
        versions="\n".join(
            ["| distribution | version |", "| --- | --- |", *(f"| {name} | {versions[name]} |" for name in sorted(versions))]
        ),
        pythons=", ".join(run.minor for run in runs),
    )


def as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """For programs: one object per Python and tried cell."""
    return [
        {"python": run.python, **attrs.asdict(outcome.cell), "ok": outcome.ok, "ms": outcome.ms, "problem": outcome.problem}
        for run in runs
        for outcome in run.outcomes
    ]


def problems(cells: Sequence[Cell], runs: Sequence[Run]) -> list[str]:
    """Every cell that failed, with what it said, and every cell that was forgotten."""
    failed = [f"{run.minor} {outcome.cell}: {outcome.problem}" for run in runs for outcome in run.outcomes if not outcome.ok]
    return failed + [f"{run.minor} {cell}: {MISSING}" for run in runs for cell in cells if run.state(cell) == MISSING]


def _remarks(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.remark for cell in cells if cell.remark))
