"""An outside author's view: two plugins written from the documentation alone, built, installed with our wheels, tested, and at work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netlab import matching

HERE = Path(__file__).parent
TEMPLATE = HERE.parents[2] / "contrib" / "plugin-template"
PLUGINS = {"folder-signaling": "hallway_folder.py", "tcp-channel": "hallway_tcp.py"}
LONGEST = 80
"""Lines of a plugin's module, at most, every one counted."""


@pytest.fixture(scope="module")
def outside(make_outside: Callable[[str], Any]) -> Any:
    """An environment with hallway, both plugins, and the template for plugins."""
    made = make_outside("outside")
    made.install(*(made.build(HERE / name) for name in PLUGINS), made.build(TEMPLATE))
    return made


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_takes_few_lines(name: str) -> None:
    assert len((HERE / name / PLUGINS[name]).read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_passes_the_conformance_suite_of_its_role(outside: Any, name: str, tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text((HERE / name / "suite.py").read_text())
    (tmp_path / "pyproject.toml").write_text((HERE / name / "pyproject.toml").read_text())
    outcome = outside.call("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "passed" in outcome.stdout


def test_the_template_for_plugins_passes_its_tests_where_nothing_else_of_this_folder_is(outside: Any, tmp_path: Path) -> None:
    shutil.copytree(TEMPLATE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TEMPLATE / "pyproject.toml", tmp_path)
    outcome = outside.call("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "passed" in outcome.stdout


def test_the_plugins_are_listed_with_their_distributions(outside: Any) -> None:
    rows = json.loads(outside.call("hallway", "plugins", "--json").stdout)
    found = {(row["distribution"], row["version"], row["role"], row["name"], row["problem"]) for row in rows}
    assert found >= {("folder-signaling", "1.0", "signaling", "folder", None), ("tcp-channel", "1.0", "channel", "tcp", None)}
    assert ("hallway-plugin-template", "0.1.0", "discovery", "template", None) in found
    assert "broken" not in {row["state"] for row in rows}


async def test_two_devices_link_over_both_plugins_and_talk(outside: Any, up_outside: Any, tmp_path: Path) -> None:
    envelopes = tmp_path / "envelopes"
    paths = [f"plugins.folder.path={envelopes}", f"plugins.template.path={tmp_path / 'records'}"]
    settings = ['discovery.chain=["template"]', 'signaling.chain=["folder"]', 'channel.chain=["tcp"]', *paths]
    one, two = await up_outside(outside, "tablet-1", settings), await up_outside(outside, "tablet-2", settings)
    assert (await one.wait_for(matching(event="ready")))["listen"] == ["folder://tablet-1"]
    await one.wait_for(matching(event="peer-found", peerId="tablet-2", discovery="template"))
    for device, other in ((one, "tablet-2"), (two, "tablet-1")):
        connected = await device.wait_for(matching(event="peer-connected", peerId=other))
        assert (connected["signaling"], connected["channel"]) == ("folder", "tcp")
    await one.send_json({"command": "send-to-peer", "peerId": "tablet-2", "message": {"type": "hello"}, "tag": 1})
    await two.wait_for(matching(event="message", peerId="tablet-1", message={"type": "hello"}))
    assert await two.terminate() == 0
    assert (await one.wait_for(matching(event="peer-disconnected", peerId="tablet-2")))["reason"] == "bye"
    await one.wait_for(matching(event="peer-lost", peerId="tablet-2"))
    assert await one.terminate() == 0
    assert list(envelopes.iterdir()) == []
