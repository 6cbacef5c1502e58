"""A broken plugin is reported clearly, and the rest goes on: each fate with a distribution that is really built and installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from netlab import matching

OUTSIDE = Path(__file__).parent / "outside"
TEMPLATE = Path(__file__).parents[2] / "contrib" / "plugin-template"

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "2.5"
requires-python = ">=3.11"
dependencies = ["{needs}"]
[project.entry-points."hallway.{role}"]
{plugin} = "{module}"
[tool.hatch.build.targets.wheel]
only-include = ["{module}.py"]
"""

FINDER = """\
import attrs
from hallway.interfaces import Discovery
from hallway.plugins import DiscoveryProvider, hookimpl

@attrs.frozen
class Config:
    pass

class Finder(Discovery):
    async def start(self, host): ...
    async def advertise(self, endpoints): ...
    {rest}

@hookimpl
def {hook}({arguments}):
    return [DiscoveryProvider(name="{plugin}", config_class=Config, factory=lambda config, context: Finder())]
"""


@attrs.frozen
class Fate:
    """One broken plugin: what it is, what is said of it and what to do. ``source`` is its module."""

    name: str
    plugin: str
    source: str
    problem: str
    hint: str = ""
    role: str = "discovery"
    needs: str = "hallway>=0.1,<0.2"
    made: bool = False
    """It is noticed only when it is made."""

    @property
    def module(self) -> str:
        """The import name."""
        return self.name.replace("-", "_")

    def write(self, folder: Path) -> Path:
        """The source of the distribution."""
        source = folder / self.name
        source.mkdir(parents=True)
        facts = {"name": self.name, "needs": self.needs, "role": self.role, "plugin": self.plugin, "module": self.module}
        (source / "pyproject.toml").write_text(PROJECT.format(**facts))
        (source / f"{self.module}.py").write_text(self.source)
        return source


def finder(plugin: str, *, hook: str = "hallway_discovery", arguments: str = "", rest: str = "async def aclose(self): ...") -> str:
    return FINDER.format(plugin=plugin, hook=hook, arguments=arguments, rest=rest)


TWINS = "hallway.discovery has two of this name"
FATES = (
    Fate("stranger-import", "lost", "import a_library_that_is_not_there\n", "No module named 'a_library_that_is_not_there'", "reinstall"),
    Fate("stranger-exit", "leaver", "raise SystemExit(3)\n", "SystemExit: 3", "reinstall"),
    Fate("stranger-future", "future", finder("future"), "it needs hallway>=99, and this is hallway 0.1.0", "versions", needs="hallway>=99"),
    Fate("stranger-contract", "old", finder("old", rest=""), "abstract method", made=True),
    Fate("stranger-hook", "typo", finder("typo", hook="hallway_discovry"), "no hook 'hallway_discovry'", "did you mean hallway_discovery?"),
    Fate("stranger-argument", "eager", finder("eager", arguments="config"), "config", "hallway.hookspecs"),
    Fate("stranger-twin-a", "twin", finder("twin"), TWINS, "uninstall all but one"),
    Fate("stranger-twin-b", "twin", finder("twin"), TWINS, "uninstall all but one"),
    Fate("stranger-silent", "silent", "import asyncio\n", "no channel named 'silent'", "hallway_channel", role="channel"),
    Fate("stranger-carrier", "gone", "from hallway.plugins import TimeMachine\n", "cannot import name 'TimeMachine'", role="signaling"),
)
NAMES = tuple(dict.fromkeys(fate.plugin for fate in FATES))


@pytest.fixture(scope="module")
def outside(make_outside: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An environment with hallway, three plugins that work, and all that do not."""
    made = make_outside("broken")
    made.install(*(made.build(OUTSIDE / name) for name in ("folder-signaling", "tcp-channel")), made.build(TEMPLATE))
    sources = tmp_path_factory.mktemp("strangers")
    # Whoever overrules the installer gets what it warned of.
    made.install("--no-deps", *(made.build(fate.write(sources)) for fate in FATES))
    return made


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    """Chains that name every broken plugin before one that works."""
    finders = [name for name in NAMES if name not in ("silent", "gone")]
    chains = {"discovery": [*finders, "template"], "signaling": ["gone", "folder"], "channel": ["silent", "tcp"]}
    (tmp_path / "envelopes").mkdir()
    paths = [f"plugins.folder.path={tmp_path / 'envelopes'}", f"plugins.template.path={tmp_path / 'records'}"]
    return [*paths, *(f"{role}.chain={json.dumps(chain)}" for role, chain in chains.items())]


def options(settings: list[str]) -> list[str]:
    return [part for each in ["security=open", "device.id=d", "device.property=p", *settings] for part in ("--set", each)]


def says(fate: Fate, report: dict[str, Any]) -> bool:
    return fate.problem in report["problem"] and fate.hint in report["hint"]


def test_plugins_lists_each_one_with_its_distribution_what_is_wrong_and_what_to_do(outside: Any, settings: list[str]) -> None:
    outcome = outside.call("hallway", "plugins", "--json", *options(settings))
    rows = {row["distribution"]: row for row in json.loads(outcome.stdout)}
    for fate in FATES:
        row = rows[fate.name]
        assert (row["name"], row["role"], row["version"], row["state"]) == (fate.plugin, fate.role, "2.5", "broken"), row
        assert says(fate, row), row
    assert {rows[name]["state"] for name in ("folder-signaling", "tcp-channel", "hallway")} == {"ok"}
    assert outcome.returncode == 0
    assert "Traceback" not in outcome.stderr


def test_config_check_names_all_of_them_and_says_by_its_status_that_not_every_plugin_works(outside: Any, settings: list[str]) -> None:
    outcome = outside.call("hallway", "config", "check", "--json", *options(settings))
    report = json.loads(outcome.stdout)
    problems = {problem["plugin"]: problem for problem in report["problems"]}
    assert (outcome.returncode, report["ok"]) == (1, False)
    assert set(problems) == set(NAMES)
    for fate in FATES:
        assert says(fate, problems[fate.plugin]), problems[fate.plugin]
        assert f"{fate.name} 2.5" in problems[fate.plugin]["distribution"]
    assert {"folder", "tcp"} <= {plugin["name"] for plugin in report["plugins"]}
    assert "Traceback" not in outcome.stderr


async def test_a_device_tells_of_each_one_in_an_event_and_links_over_the_rest(outside: Any, up_outside: Any, settings: list[str]) -> None:
    one, two = await up_outside(outside, "tablet-1", settings), await up_outside(outside, "tablet-2", settings)
    for plugin in NAMES:
        error = await one.wait_for(lambda line, plugin=plugin: line["event"] == "error" and f"plugin '{plugin}'" in line["message"])
        fate = next(fate for fate in FATES if fate.plugin == plugin)
        assert error["code"] == "plugin"
        assert f"from {fate.name} 2.5" in error["message"]
        assert says(fate, {"problem": error["message"], "hint": error["hint"]}), error
    connected = await one.wait_for(matching(event="peer-connected", peerId="tablet-2"))
    assert (connected["signaling"], connected["channel"]) == ("folder", "tcp")
    await one.send_json({"command": "broadcast", "message": "alive", "tag": None})
    await two.wait_for(matching(event="message", peerId="tablet-1", message="alive"))
    assert [await two.terminate(), await one.terminate()] == [0, 0]
