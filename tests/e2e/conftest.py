"""What the tests of strangers' plugins share: wheels, and environments that know nothing of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import attrs
import pytest
import pytest_asyncio

from netlab.process import Process, start

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"
PATIENCE = 300.0
"""Seconds for a command that takes one; only a failure takes longer."""


def run(*command: str | Path) -> str:
    """Run a command to its end, which must be a success."""
    outcome = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert outcome.returncode == 0, f"{command}\n{outcome.stdout}{outcome.stderr}"
    return outcome.stdout


@attrs.frozen
class Outside:
    """An environment of somebody who has our wheels and not this folder."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.folder / "venv" / "bin"

    @property
    def environment(self) -> dict[str, str]:
        """What its programs get: nothing of ours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HALLWAY_", "PYTHON", "VIRTUAL_ENV"))}
        return kept | {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "PYTHONWARNINGS": "error"}

    def build(self, source: Path) -> Path:
        """The wheel of a folder with a pyproject.toml."""
        target = self.folder / "wheels" / source.name
        run(UV, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--wheel", "--out-dir", target, source)
        (wheel,) = target.glob("*.whl")
        return wheel

    def install(self, *what: str | Path) -> None:
        """Install what the tests' own environment has in uv's cache; only what is not there is fetched."""
        lock = (ROOT / "requirements.lock").read_text()
        constraints = self.folder / "constraints.txt"
        constraints.write_text("\n".join(line.removesuffix(" \\") for line in lock.splitlines() if "==" in line and line[0] not in " #"))
        command = [UV, "pip", "install", "--quiet", "--python", self.bin / "python", "--constraint", constraints, *what]
        outcome = subprocess.run([str(part) for part in [*command, "--offline"]], capture_output=True, check=False, timeout=PATIENCE)
        if outcome.returncode:
            run(*command)

    def call(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run one of its programs to its end."""
        argv = [str(self.bin / command[0]), *command[1:]]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=cwd, env=self.environment)


@pytest.fixture(scope="session")
def make_outside(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Outside]:
    """Makes environments that have the wheel of hallway, with what its conformance suites need."""
    wheels: list[Path] = []

    def make(name: str) -> Outside:
        outside = Outside(tmp_path_factory.mktemp(name))
        run(UV, "venv", "--quiet", "--python", sys.executable, outside.folder / "venv")
        wheels[:] = wheels or [outside.build(ROOT / "core")]
        outside.install(f"hallway[testing] @ {wheels[0].as_uri()}")
        return outside

    return make


Up = Callable[..., Awaitable[Process]]


@pytest_asyncio.fixture
async def up_outside() -> AsyncIterator[Up]:
    """Runs `hallway up --json` of such an environment: ``await up_outside(outside, "tablet-1", "key=value", …)``."""
    started: list[Process] = []

    async def up(outside: Outside, device_id: str, settings: Sequence[str]) -> Process:
        everything = ["security=open", f"device.id={device_id}", "device.property=outside", *settings]
        options = [part for setting in everything for part in ("--set", setting)]
        argv = [str(outside.bin / "hallway"), "up", "--json", *options]
        started.append(await start("this machine", (), argv, cwd=outside.folder, env=outside.environment))
        return started[-1]

    yield up
    for process in started:
        await process.kill()
