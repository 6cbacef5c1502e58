"""Watches the suites from outside their tests: a test that was skipped or taken out must not look like one that passed.

It is a pytest plugin which the first suite that pytest collects registers, so that an author has nothing to set up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hallway.testing.conformance.suite import Promise, Suite

NAME = "hallway-conformance"

NARROWING = ("keyword", "markexpr", "deselect", "lf", "stepwise")
"""Options with which a person asks for some tests only: then nobody takes the outcome for the whole suite's."""


def guard_of(config: pytest.Config) -> Guard:
    """The guard of this run; the first call registers it."""
    guard = config.pluginmanager.get_plugin(NAME)
    if not isinstance(guard, Guard):
        guard = Guard()
        config.pluginmanager.register(guard, NAME)
    return guard


class Guard:
    """The hooks, and what was collected."""

    def __init__(self) -> None:
        self._collected: defaultdict[type, set[str]] = defaultdict(set)

    def saw(self, cls: type, name: str) -> None:
        """Pytest collects the test ``name`` of ``cls``."""
        self._collected[cls].add(name)

    def collected(self, cls: type) -> set[str]:
        """The names of the tests of ``cls`` that pytest found, whether selected or not."""
        return self._collected[cls]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Fail the run if tests of a suite went missing between collection and the start."""
        if _is_narrowed(session.config):
            return
        problems = [*self._dropped(session.items), *self._ignored(session.items)]
        if problems:
            raise pytest.UsageError("\n".join(["a conformance suite is not whole:", *problems]))

    def _dropped(self, items: Iterable[pytest.Item]) -> list[str]:
        left = {(getattr(item, "cls", None), getattr(item, "originalname", "")) for item in items}
        dropped = [(cls, name) for cls, names in self._collected.items() for name in sorted(names) if (cls, name) not in left]
        return [f"{cls.__name__}.{name} was collected and then taken out" for cls, name in dropped]

    def _ignored(self, items: Iterable[pytest.Item]) -> list[str]:
        from hallway.testing.conformance.suite import KNOWN

        modules = {item.getparent(pytest.Module).obj.__name__ for item in items if item.getparent(pytest.Module) is not None}  # type: ignore[union-attr]
        leaves = [cls for cls in KNOWN if not cls.__subclasses__() and cls.__module__ in modules]
        return [
            f"{cls.__name__} in {cls.__module__} was not collected: is its name taken twice, or not one that pytest takes for a test class?"
            for cls in leaves
            if cls not in self._collected
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip what a declared capability or exemption takes out."""
        reason = _reason_to_skip(item)
        if reason is not None:
            pytest.skip(reason)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn every other skip or expected failure into a failure."""
        report = yield
        excused = getattr(report, "wasxfail", None)
        if _promise(item) is None or not (report.skipped or excused is not None):
            return report
        if excused is None and (_is_exempt(item) or _reason_to_skip(item) is not None):
            return report
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: a test of a conformance suite was skipped or expected to fail, and no capability says so"
        if excused is not None:
            del report.wasxfail
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the exemptions."""
        exempt = [(cls, name, reason) for cls in self._collected for name, reason in _suite(cls).exempt.items()]
        if exempt:
            terminalreporter.section("conformance exemptions")
        for cls, name, reason in exempt:
            terminalreporter.write_line(f"{cls.__module__}.{cls.__name__}.{name}: {reason}")


def _is_narrowed(config: pytest.Config) -> bool:
    return any(config.getoption(option, None) for option in NARROWING) or any("::" in str(arg) for arg in config.args)


def _suite(cls: type) -> type[Suite]:
    from hallway.testing.conformance.suite import Suite

    assert issubclass(cls, Suite)
    return cls


def _promise(item: pytest.Item) -> Promise | None:
    from hallway.testing.conformance.suite import Suite

    cls: Any = getattr(item, "cls", None)
    if not (isinstance(cls, type) and issubclass(cls, Suite)):
        return None
    return cls.promises.get(getattr(item, "originalname", ""))


def _is_exempt(item: pytest.Item) -> bool:
    promise, cls = _promise(item), getattr(item, "cls", None)
    return promise is not None and isinstance(cls, type) and bool(_suite(cls).exempt.get(promise.name))


def _reason_to_skip(item: pytest.Item) -> str | None:
    promise, cls = _promise(item), getattr(item, "cls", None)
    if promise is None or not isinstance(cls, type):
        return None
    suite = _suite(cls)
    exemption = suite.exempt.get(promise.name)
    if exemption and getattr(cls, promise.name) is promise.test:
        return f"exempt: {exemption}"
    off = next((name for name in promise.capabilities if not getattr(suite.capabilities, name)), None)
    return f"capability {off} is off" if off is not None else None
