"""Distributions written by hand into a folder on the path: what a package manager leaves, and nothing of ours in between."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PROVIDER = """
import attrs
from hallway.plugins import ChannelProvider, hookimpl

@attrs.frozen
class Settings:
    size: int = 1

def make(config, context):
    raise RuntimeError("no such library")

@hookimpl
def hallway_channel():
    return [ChannelProvider(name={name!r}, config_class=Settings, factory=make, kind="test")]
"""


class Site:
    """A folder of distributions on ``sys.path``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, distribution: str, version: str, entry_points: Mapping[str, Mapping[str, str]], modules: Mapping[str, str]) -> None:
        """Install a distribution with entry points (group → name → value) and modules (name → source)."""
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = [
            line
            for group, names in entry_points.items()
            for line in (f"[{group}]", *(f"{name} = {value}" for name, value in names.items()))
        ]
        (info / "entry_points.txt").write_text("\n".join(lines))
        for name, source in modules.items():
            (self.folder / f"{name}.py").write_text(source)

    def add_channel(self, name: str, source: str | None = None, *, distribution: str = "", module: str = "", version: str = "1.2") -> None:
        """Install a channel plugin; ``source`` is its module, or else one that works."""
        module = module or f"site_{name.replace('-', '_')}"
        source = PROVIDER.format(name=name) if source is None else source
        self.add(distribution or f"hallway-{name}", version, {"hallway.channel": {name: module}}, {module: source})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield Site(folder)
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def provider_source() -> str:
    """A module with one working channel plugin; format it with ``name``."""
    return PROVIDER
