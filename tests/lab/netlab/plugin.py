"""The pytest side of the lab: the fixture, the marker, and what a failed test should show."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Generator

import pytest
import pytest_asyncio

from netlab.lab import Lab
from netlab.requirements import missing

_passed = pytest.StashKey[bool]()


def require_lab() -> None:
    """Skip the calling test if no lab can be built here. For root in CI (variable ``CI``) that is a failure: no test goes missing there."""
    reason = missing()
    if reason and os.environ.get("CI") and os.geteuid() == 0:
        pytest.fail(f"CI must run the lab: {reason}", pytrace=False)
    if reason:
        pytest.skip(f"the lab cannot be built: {reason}")


def require_program(name: str) -> None:
    """Skip the calling test if a program is not installed; in CI, as root, that is a failure."""
    if shutil.which(name) is None:
        problem = f"{name} is not installed"
        if os.environ.get("CI") and os.geteuid() == 0:
            pytest.fail(f"CI must have it: {problem}", pytrace=False)
        pytest.skip(problem)


@pytest_asyncio.fixture
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    """An open `netlab.Lab`. A passing test that leaves a process running gets an error at teardown."""
    require_lab()
    async with Lab() as lab:
        yield lab
    if lab.leftovers and request.node.stash.get(_passed, False):
        pytest.fail("the test left processes running:\n" + "\n".join(lab.leftovers), pytrace=False)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what uses the fixture, so that ``-m 'not lab'`` is complete.

    With three workers (pytest-xdist, ``--dist loadgroup``) two share the lab and one has all the rest, which shares this machine's ports
    and its mDNS.
    """
    in_lab = "lab" in getattr(item, "fixturenames", ())
    if in_lab:
        item.add_marker("lab")
    second = item.get_closest_marker("second_lab") is not None
    item.add_marker(pytest.mark.xdist_group(("second lab" if second else "lab") if in_lab else "machine"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test what the processes of its lab said."""
    report = yield
    if report.when == "call":
        item.stash[_passed] = report.passed
    if report.when == "call" and report.failed:
        lab = getattr(item, "funcargs", {}).get("lab")
        if isinstance(lab, Lab):
            report.sections += [(repr(process), process.transcript()) for process in lab.processes]
    return report
