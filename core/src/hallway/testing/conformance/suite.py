"""What every suite is made of: promises, the classes that test them, and the checks that none was dropped."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

import attrs
import pytest

from hallway.model import DeviceInfo
from hallway.testing.conformance.guard import guard_of

PATIENCE = 20.0
"""Seconds after which a test that has not ended has failed. No test needs more than a fraction of it."""

Test = Callable[..., Awaitable[None]]
T = TypeVar("T")
S = TypeVar("S", bound="type[Suite]")
Make = Callable[[DeviceInfo], T]
"""Makes the plugin object of one device."""

KNOWN: set[type[Suite]] = set()
"""Every class that is a suite, whether pytest collects it or not; one whose name was taken again lives nowhere else."""

_REQUIRED: dict[Test, tuple[str, ...]] = {}


@attrs.frozen
class Promise:
    """One test of a suite. ``capabilities`` names the fields without which the test does not apply."""

    name: str
    test: Test
    capabilities: tuple[str, ...]


def requires(*capabilities: str) -> Callable[[Test], Test]:
    """A test for plugins whose record has all of these; others skip it, with the first that is off as the reason."""

    def note(test: Test) -> Test:
        _REQUIRED[test] = capabilities
        return test

    return note


class Suite:
    """The base of the three suites. See `hallway.testing.conformance` for what an author writes."""

    capabilities: Any
    exempt: ClassVar[Mapping[str, str]] = {}
    """Tests that this class replaces or leaves out, each with the reason, which is printed."""

    promises: ClassVar[Mapping[str, Promise]] = {}
    fixed: ClassVar[Mapping[str, object]] = {}
    """Everything of the suite that a subclass must leave alone."""

    pytestmark = pytest.mark.asyncio(loop_scope="function")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        KNOWN.add(cls)

    @pytest.fixture(params=[False, True], ids=["as-made", "flipped"])
    def flipped(self, request: pytest.FixtureRequest) -> bool:
        """Which way round the pair is: every test runs both ways."""
        return bool(request.param)

    def hindrance(self) -> AbstractAsyncContextManager[None]:
        """While it is entered, `start` of what this test's ``site`` makes fails. Needed with the capability ``hinderable`` only."""
        raise NotImplementedError("a plugin with the capability hinderable says how it is hindered")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Note what pytest collects, and have the guard watch it."""
        if metafunc.cls is not None:
            guard_of(metafunc.config).saw(metafunc.cls, metafunc.definition.name)

    async def test_every_test_of_the_suite_was_collected_as_published(self, request: pytest.FixtureRequest) -> None:
        """The class runs the whole suite: nothing is missing, replaced or shadowed without a declared exemption."""
        assert faults(type(self), guard_of(request.config).collected(type(self))) == []


COMPLETENESS = "test_every_test_of_the_suite_was_collected_as_published"
FOR_AUTHORS = {"provider", "capabilities", "exempt", "site", "hindrance"}
"""What a subclass may define; the rest of a suite's names are the suite's."""


def published(suite: S) -> S:
    """Take down what ``suite`` promises, in the order of its tests, and bound each test in time."""
    tests = {name: value for base in reversed(suite.__mro__) for name, value in vars(base).items() if name.startswith("test_")}
    tests[COMPLETENESS] = tests.pop(COMPLETENESS)
    suite.promises = {name: Promise(name, _bounded(test), _REQUIRED.get(test, ())) for name, test in tests.items()}
    for name, promise in suite.promises.items():
        setattr(suite, name, promise.test)
    names = {name for base in suite.__mro__ if base is not object for name in vars(base) if not name.startswith("_")}
    suite.fixed = {name: inspect.getattr_static(suite, name) for name in names - FOR_AUTHORS - {"fixed"}}
    return suite


def _bounded(test: Test) -> Test:
    @functools.wraps(test)
    async def bounded(*args: Any, **kwargs: Any) -> None:
        scope = asyncio.timeout(PATIENCE)
        try:
            async with scope:
                await test(*args, **kwargs)
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise AssertionError(f"nothing more happened for {PATIENCE:g} s. The promise: {test.__doc__}") from error

    return bounded


def faults(cls: type[Suite], collected: set[str]) -> list[str]:
    """What this class changed in its suite, or what pytest did not collect of it, without an exemption; a sentence each."""
    unknown = [f"exempt names {name}, which is no test of the suite" for name in cls.exempt if name not in cls.promises]
    silent = [f"the exemption of {name} gives no reason" for name, reason in cls.exempt.items() if not reason.strip()]
    changed = [
        f"{name} is not what the suite published; if that is meant, say why in `exempt`"
        for name, value in cls.fixed.items()
        if name not in cls.exempt and inspect.getattr_static(cls, name, None) is not value
    ]
    missing = [f"{name} was not collected" for name in cls.promises if name not in cls.exempt and name not in collected]
    return [*unknown, *silent, *changed, *missing]
