from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hallway.errors import PluginError
from hallway.plugins.loader import Imported, import_plugins, installed

GROUP = "hallway.channel"


def load(*names):
    return import_plugins(installed(), GROUP, names)


def test_installed_lists_entry_points_without_importing_them(site):
    site.add_channel("t-one", "raise AssertionError('imported')")
    (found,) = [item for item in installed() if item.name == "t-one"]
    assert (found.group, found.distribution, found.version, found.owner) == (GROUP, "hallway-t-one", "1.2", "hallway-t-one 1.2")
    assert "site_t_one" not in sys.modules


def test_only_what_is_named_is_imported_in_the_given_order(site):
    for name in ("t-one", "t-two", "t-three"):
        site.add_channel(name)
    results = load("t-three", "t-absent", "t-one")
    assert [result.installed.name for result in results if isinstance(result, Imported)] == ["t-three", "t-one"]
    assert "site_t_two" not in sys.modules


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("syntax error", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("assert False, 'broken'", "AssertionError: broken"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_reported_and_the_rest_goes_on(site, source, cause):
    site.add_channel("t-bad", source)
    site.add_channel("t-good")
    bad, good = load("t-bad", "t-good")
    assert isinstance(bad, PluginError)
    assert isinstance(good, Imported)
    assert "hallway-t-bad 1.2" in str(bad)
    assert cause in str(bad)
    assert bad.__cause__ is not None


def test_an_entry_point_without_a_module_or_attribute_is_reported(site):
    site.add("hallway-t", "1", {GROUP: {"t-gone": "no_module_here", "t-attr": "site_t:missing"}}, {"site_t": ""})
    assert all(isinstance(result, PluginError) for result in load("t-gone", "t-attr"))


def test_a_name_that_two_distributions_bring_is_refused_with_both_owners(site):
    site.add_channel("t-same", distribution="hallway-first", module="first_module")
    site.add_channel("t-same", distribution="hallway-second", module="second_module")
    (problem,) = load("t-same")
    assert isinstance(problem, PluginError)
    assert "hallway-first 1.2" in str(problem)
    assert "hallway-second 1.2" in str(problem)
    assert "uninstall" in problem.hint
    assert not {"first_module", "second_module"} & set(sys.modules)


def test_a_distribution_without_metadata_is_unknown_but_works(site):
    site.add_channel("t-bare")
    (site.folder / "hallway_t_bare-1.2.dist-info" / "METADATA").unlink()
    (result,) = load("t-bare")
    assert isinstance(result, Imported)
    assert result.installed.owner == "an unknown distribution"


def test_a_changed_installation_is_seen_at_once(site):
    site.add_channel("t-one")
    assert "t-late" not in [item.name for item in installed()]
    entry_points = site.folder / "hallway_t_one-1.2.dist-info" / "entry_points.txt"
    times = entry_points.stat()
    entry_points.write_text(f"[{GROUP}]\nt-late = site_t_one\n")
    # The same times, as after a quick re-installation on a file system with coarse ones.
    os.utime(entry_points, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "t-late" in [item.name for item in installed()]
    assert isinstance(load("t-late")[0], Imported)


def test_nothing_is_written_to_the_home(site, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    assert count_in_a_new_process(site, home) == "1"
    assert list(home.iterdir()) == []


def test_a_home_that_cannot_be_written_is_no_trouble(site):
    # Not even root can make a folder there.
    assert count_in_a_new_process(site, Path("/dev/null")) == "1"


def count_in_a_new_process(site, home):
    site.add_channel("t-one")
    script = "from hallway.plugins.loader import *; print(len(import_plugins(installed(), 'hallway.channel', ['t-one'])))"
    env = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(site.folder)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_module_that_the_program_passes_takes_the_same_road(site):
    module = object()
    (result,) = import_plugins(installed({GROUP: {"t-own": module}}), GROUP, ["t-own"])
    assert isinstance(result, Imported)
    assert result.module is module
    assert result.installed.owner == "the program itself"


def test_a_passed_module_does_not_hide_an_installed_one(site):
    site.add_channel("t-one")
    (result,) = import_plugins(installed({GROUP: {"t-one": object()}}), GROUP, ["t-one"])
    assert isinstance(result, PluginError)
    assert "the program itself" in str(result)
