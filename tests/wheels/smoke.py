"""Builds every wheel, installs them where nothing else of this folder is, and lets two devices link there.

Usage: python tests/wheels/smoke.py MEMBER...
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
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


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    outcome = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    if outcome.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{outcome.stdout}{outcome.stderr}")
    return outcome.stdout


def main(members: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        dist, venv = Path(scratch, "dist"), Path(scratch, "venv")
        for member in members:
            run(BIN / "uv", "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--wheel", "--out-dir", dist, member)
        wheels = sorted(dist.glob("*.whl"))
        if len(wheels) != len(members):
            sys.exit(f"{len(members)} members made {len(wheels)} wheels")
        run(BIN / "uv", "venv", "--quiet", "--python", sys.executable, venv)
        constraints = Path(scratch, "constraints.txt")
        lock = (ROOT / "requirements.lock").read_text()
        pins = [line.removesuffix(" \\") for line in lock.splitlines() if "==" in line and line[0] not in " #"]
        constraints.write_text("\n".join(pins))
        run(BIN / "uv", "pip", "install", "--quiet", "--python", venv / "bin/python", "--constraint", constraints, *wheels)
        print(run(venv / "bin/python", "-W", "error", "-c", textwrap.dedent(SMOKE), cwd=Path(scratch)), end="")
        for command in (["--help"], ["plugins"], ["config", "schema"]):
            run(venv / "bin/hallway", *command, cwd=Path(scratch))
        print(f"{len(wheels)} wheels: {', '.join(wheel.name for wheel in wheels)}")


if __name__ == "__main__":
    main(sys.argv[1:])
