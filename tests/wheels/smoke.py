"""Builds every wheel into dist/, installs them where nothing else of this folder is, and lets two devices link there.

Usage: python tests/wheels/smoke.py MEMBER...
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
CHECK = ("config", "check", "--set", "security=open", "--set", "device.id=smoke", "--set", "device.property=smoke")
BIN = Path(sys.executable).parent

SMOKE = """
import asyncio
from importlib.metadata import distributions, entry_points
from pathlib import Path

import hallway

async def main():
    def peer(name):
        settings = ["security=open", f"device.id={name}", "device.property=smoke"]
        settings += [f'{role}.chain=["memory"]' for role in ("discovery", "signaling", "channel")]
        return hallway.create_peer(hallway.load_config(overrides=settings, environ={}))

    a, b = peer("a"), peer("b")
    linked = asyncio.Event()
    a.on("peer-connected", lambda peer_id: linked.set())
    async with asyncio.timeout(10), a, b:
        await linked.wait()
        await a.broadcast("hello")
        assert await anext(b.messages()) == ("a", "hello")

asyncio.run(main())
assert "site-packages" in hallway.__file__, hallway.__file__
for group in ("hallway.discovery", "hallway.signaling", "hallway.channel"):
    for entry_point in entry_points(group=group):
        entry_point.load()
for distribution in distributions():
    if distribution.name.startswith("hallway"):
        typed = [file for file in distribution.files if file.name == "py.typed"]
        assert typed, f"{distribution.name} has no py.typed"
        assert distribution.metadata["Description-Content-Type"] == "text/markdown"
print("linked, every plugin imports")
"""


def call(command: tuple[str | Path, ...], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def succeeds(*command: str | Path) -> bool:
    return call(command, ROOT).returncode == 0


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    outcome = call(command, cwd)
    if outcome.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{outcome.stdout}{outcome.stderr}")
    return outcome.stdout


def build(members: list[str]) -> list[Path]:
    for old in DIST.glob("hallway*.whl"):
        old.unlink()
    for member in members:
        run(BIN / "uv", "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--wheel", "--out-dir", DIST, member)
    wheels = sorted(DIST.glob("hallway*.whl"))
    if len(wheels) != len(members):
        sys.exit(f"{len(members)} members made {len(wheels)} wheels")
    return wheels


def readme_folders() -> list[Path]:
    """What README tells those who have a checkout to install."""
    (line,) = (line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("pip install ./"))
    return [ROOT / folder for folder in line.split()[2:]]


def install(packages: list[Path], venv: Path) -> Path:
    """Install into a new environment what `make setup` has left in uv's cache; only what is not there is fetched."""
    run(BIN / "uv", "venv", "--quiet", "--python", sys.executable, venv)
    constraints = venv / "constraints.txt"
    lock = (ROOT / "requirements.lock").read_text()
    pins = [line.removesuffix(" \\") for line in lock.splitlines() if "==" in line and line[0] not in " #"]
    constraints.write_text("\n".join(pins))
    command = [BIN / "uv", "pip", "install", "--quiet", "--python", venv / "bin/python", "--constraint", constraints, *packages]
    if not succeeds(*command, "--offline"):
        run(*command)
    return venv


def main(members: list[str]) -> None:
    wheels = build(members)
    with tempfile.TemporaryDirectory() as scratch:
        from_folders = install(readme_folders(), Path(scratch, "from-folders"))
        run(from_folders / "bin/hallway", *CHECK, cwd=Path(scratch))
        venv = install(wheels, Path(scratch, "from-wheels"))
        print(run(venv / "bin/python", "-W", "error", "-c", textwrap.dedent(SMOKE), cwd=Path(scratch)), end="")
        for command in (["--help"], ["plugins"], ["config", "schema"]):
            run(venv / "bin/hallway", *command, cwd=Path(scratch))
        print(f"{len(wheels)} wheels in dist/: {', '.join(wheel.name for wheel in wheels)}")


if __name__ == "__main__":
    main(sys.argv[1:])
