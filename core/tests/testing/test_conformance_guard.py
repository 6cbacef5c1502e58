"""A suite fails if one of its tests was dropped: each way to drop one, in a run of pytest of its own."""

from __future__ import annotations

import sys

import pytest

pytest_plugins = ["pytester"]

HEAD = """
from contextlib import asynccontextmanager
import pytest
from hallway.testing.conformance import DiscoveryCapabilities, DiscoveryConformance, SignalingCapabilities, SignalingConformance, context
from hallway.testing.memory import MemoryConfig
from hallway.testing.memory.plugin import hallway_discovery, hallway_signaling

class Author:
    provider = next(iter(hallway_discovery()))
    capabilities = DiscoveryCapabilities()

    @asynccontextmanager
    async def site(self):
        yield lambda device: self.provider.factory(MemoryConfig(hub="meta"), context(device))
"""
WHOLE = """
class TestIt(Author, DiscoveryConformance):
    pass
"""
VICTIM = "test_devices_find_each_other"
COMPLETENESS = "test_every_test_of_the_suite_was_collected_as_published"

INI = """[pytest]
asyncio_mode = {mode}
asyncio_default_fixture_loop_scope = session
filterwarnings = error
addopts = --strict-markers
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Runs a test module, in either mode of pytest-asyncio, with warnings as errors."""

    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(source: str, *arguments: str, conftest: str = "", mode: str = "strict", head: str = HEAD) -> pytest.RunResult:
        pytester.makeini(INI.format(mode=mode))
        pytester.makeconftest(conftest)
        pytester.makepyfile(head + source)
        return pytester.runpytest_subprocess("-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider", "-q", *arguments)

    return run


def red(result: pytest.RunResult) -> set[str]:
    """``Class::test`` of whatever failed or could not be set up."""
    lines = [line for line in result.outlines if line.startswith(("FAILED", "ERROR ")) and "::" in line]
    return {line.split("::", 1)[1].split(" ")[0].split("[")[0] for line in lines}


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_a_whole_suite_passes_in_either_mode_and_names_the_capabilities_that_are_off(run, mode):
    result = run(WHOLE, "-rs", mode=mode)

    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes()["passed"] > 20
    result.stdout.fnmatch_lines(["SKIPPED * capability hinderable is off"])


REPLACED = {
    "TestNone": f"{VICTIM} = None",
    "TestOverridden": f"async def {VICTIM}(self): pass",
    "TestAnother": f"{VICTIM} = DiscoveryConformance.test_closing_twice_is_silent",
    "TestHook": "def pytest_generate_tests(self, metafunc): super().pytest_generate_tests(metafunc)",
    "TestFixture": "@pytest.fixture\n    def flipped(self): return False",
    "TestBadReason": f"exempt = {{'{VICTIM}': ' '}}",
    "TestBadName": "exempt = {'test_of_nothing': 'a reason'}",
    "TestShadow": "pass",
}


def test_a_test_that_the_class_replaces_is_missed(run):
    classes = "\n".join(f"class {name}(Author, DiscoveryConformance):\n    {body}" for name, body in REPLACED.items())
    classes = classes.replace("TestShadow(", "TestShadow(Shadow, ")
    result = run(f"class Shadow:\n    async def {VICTIM}(self): pass\n{classes}\n", "-k", COMPLETENESS)

    assert red(result) == {f"{name}::{COMPLETENESS}" for name in REPLACED}
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_test_that_the_class_skips_is_missed_and_a_failure(run):
    result = run(f"class TestIt(Author, DiscoveryConformance):\n    @pytest.mark.skip\n    async def {VICTIM}(self): pass\n")

    assert red(result) == {f"TestIt::{COMPLETENESS}", f"TestIt::{VICTIM}"}


@pytest.mark.parametrize("change", [f"del DiscoveryConformance.{VICTIM}", f"DiscoveryConformance.{VICTIM} = lambda self: None"])
def test_a_test_that_was_changed_in_the_published_class_is_missed(run, change):
    result = run(f"{change}\n{WHOLE}", "-k", COMPLETENESS)

    assert red(result) == {f"TestIt::{COMPLETENESS}"}


def test_a_mark_on_the_class_fails_every_test(run):
    marks = {"TestSkip": "skip", "TestSkipif": "skipif(True, reason='x')", "TestXfail": "xfail", "TestLoose": "xfail(strict=False)"}
    classes = "".join(f"@pytest.mark.{mark}\nclass {name}(Author, DiscoveryConformance): pass\n" for name, mark in marks.items())
    result = run(classes)

    assert "passed" not in result.parseoutcomes()
    assert red(result) >= {f"{name}::{test}" for name in marks for test in (COMPLETENESS, VICTIM)}


def test_a_mark_on_the_module_fails_every_test(run):
    result = run(f"pytestmark = pytest.mark.skip\n{WHOLE}")

    assert set(result.parseoutcomes()) == {"errors", "skipped"}
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_site_that_skips_is_a_failure(run):
    source = WHOLE.replace("pass", "@asynccontextmanager\n    async def site(self):\n        pytest.skip('not today')\n        yield")
    result = run(source)

    assert result.parseoutcomes()["passed"] == 1
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*was skipped or expected to fail, and no capability says so*"])


@pytest.mark.parametrize("hook", ["items[:] = rest", "items[:] = rest; config.hook.pytest_deselected(items=gone)"])
def test_a_run_from_which_tests_were_taken_out_does_not_start(run, hook):
    conftest = f"""
def pytest_collection_modifyitems(config, items):
    gone = [item for item in items if "{VICTIM}" in item.name or "{COMPLETENESS}" in item.name]
    rest = [item for item in items if item not in gone]
    {hook}
"""
    result = run(WHOLE, conftest=conftest)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*TestIt.{VICTIM} was collected and then taken out"])


@pytest.mark.parametrize("source", [WHOLE + WHOLE, WHOLE + WHOLE.replace("TestIt", "Other"), WHOLE + "TestIt.__test__ = False\n" + WHOLE])
def test_a_suite_that_pytest_did_not_collect_is_missed_beside_one_that_it_did(run, source):
    result = run(source)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*was not collected: is its name taken twice*"])


@pytest.mark.parametrize("choice", [("-k", VICTIM), ("--deselect", "test_none.py"), ("-k", f"{VICTIM} or {COMPLETENESS}")])
def test_choosing_tests_on_the_command_line_is_fine(run, choice):
    result = run(WHOLE, *choice)

    assert result.ret == pytest.ExitCode.OK, result.stdout.str()


def test_an_exempt_test_is_left_out_or_replaced_and_its_reason_is_printed(run):
    source = f"""
class TestIt(Author, DiscoveryConformance):
    exempt = {{"{VICTIM}": "only two fit", "test_a_device_never_sees_itself": "it has a mirror"}}

    async def test_a_device_never_sees_itself(self, bench):
        assert bench is not None
"""
    result = run(source, "-rs", "-k", f"{VICTIM} or sees_itself or {COMPLETENESS}")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*conformance exemptions*", f"*TestIt.{VICTIM}: only two fit", "*never_sees_itself: it has a mirror"])
    result.stdout.fnmatch_lines(["SKIPPED * exempt: only two fit"])


def test_a_capability_that_is_off_skips_its_tests_by_its_name(run):
    source = WHOLE.replace("pass", "capabilities = DiscoveryCapabilities(goodbye=False, updates=False)")
    result = run(source, "-rs")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["SKIPPED * capability goodbye is off"])
    result.stdout.fnmatch_lines(["SKIPPED * capability updates is off"])


def test_a_discovery_that_advertises_nothing_runs_the_whole_life_of_a_device_and_skips_the_rest_by_name(run):
    source = """
class Deaf:
    async def start(self, host): pass
    async def advertise(self, endpoints): pass
    async def aclose(self): pass

class TestIt(Author, DiscoveryConformance):
    capabilities = DiscoveryCapabilities(advertises=False)

    @asynccontextmanager
    async def site(self):
        yield lambda device: Deaf()
"""
    result = run(source, "-rs")

    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes()["passed"] > 20
    result.stdout.fnmatch_lines(["SKIPPED * capability advertises is off"])
    assert {line.rpartition(": ")[2] for line in result.outlines if line.startswith("SKIPPED")} == {
        "capability advertises is off",
        "capability hinderable is off",
    }


def test_importing_hallway_testing_costs_no_pytest(pytester: pytest.Pytester):
    script = "import sys, hallway.testing, hallway.testing.memory.plugin; assert 'pytest' not in sys.modules"

    assert pytester.run(sys.executable, "-c", script).ret == 0
