"""A pytest plugin: at the end of a run, every attack of the threat model that was tried, and what came of it.

A test that is marked ``attack`` prints lines that begin with an id (``A5 …``). One that prints none is told with its name and its time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Generator

import pytest

MARK = "attack"
_LINE = re.compile(r"(A\d+)[: ]")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note with the report which attacks the test tries; the process that prints may be another one."""
    report = yield
    if report.when == "call":
        ids = [one for mark in item.iter_markers(MARK) for one in mark.args]
        report.user_properties += [(MARK, one) for one in ids]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was tried."""
    told: defaultdict[str, list[str]] = defaultdict(list)
    times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for report in terminalreporter.getreports("passed"):
        ids = [str(value) for name, value in report.user_properties if name == MARK]
        lines = {line: match[1] for line in report.capstdout.splitlines() if (match := _LINE.match(line))}
        for line, attack in lines.items():
            told[attack].append(line)
        if ids and not lines:
            times[" ".join(ids), report.nodeid.partition("[")[0].rpartition("::")[2]].append(report.duration)
    for (ids, name), spent in times.items():
        ways = f", {len(spent)} ways" if len(spent) > 1 else ""
        told[ids.partition(" ")[0]].append(f"{ids} {name.removeprefix('test_').replace('_', ' ')}: so it was{ways}, {sum(spent):.2f} s")
    if told:
        terminalreporter.section("attacks that were tried")
    for attack in sorted(told, key=lambda one: int(one[1:])):
        for line in told[attack]:
            terminalreporter.write_line(line)
