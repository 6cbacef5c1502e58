"""The Pythons of this machine, and an environment for each with everything of this repository."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".matrix"
"""One environment per Python version; git ignores them."""
TEMPLATE = ROOT / "contrib" / "plugin-template"
"""No part of an environment: it is tried apart, as a stranger's plugin is."""
VERSIONS = ("3.11", "3.12", "3.13")
PYENV = Path.home() / ".pyenv" / "versions"
ASK = "import ensurepip, ssl, sys; print(*sys.version_info[:3], sep='.')"
ASK_SECONDS = 20.0


@attrs.frozen
class Python:
    """An interpreter that runs, with its whole version."""

    path: Path
    version: str

    @property
    def minor(self) -> str:
        """Such as ``3.12``."""
        return self.version.rpartition(".")[0]


def pythons() -> dict[str, Python | None]:
    """The newest interpreter of each version, on the PATH or in pyenv; None where there is none."""
    found: dict[str, Python | None] = dict.fromkeys(VERSIONS)
    for version in VERSIONS:
        usable = [python for path in _paths(version) if (python := _ask(path)) is not None and python.minor == version]
        found[version] = max(usable, key=lambda python: int(python.version.rpartition(".")[2]), default=None)
    return found


def _paths(version: str) -> Iterator[Path]:
    for name in (f"python{version}", "python3"):
        if (path := shutil.which(name)) is not None:
            yield Path(path)
    yield from sorted(PYENV.glob(f"{version}.*/bin/python"))


def _ask(path: Path) -> Python | None:
    """The interpreter at ``path``, or None: a shim of pyenv may name a version that does not run."""
    try:
        outcome = subprocess.run([path, "-c", ASK], capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Python(path, outcome.stdout.strip()) if outcome.returncode == 0 else None


def environment(python: Python, uv: Path) -> Path:
    """The interpreter of an environment for ``python``, built if it is not there or out of date."""
    folder = FOLDER / python.minor
    inside, stamp = folder / "bin" / "python", folder / "built-from"
    state = _state(python)
    if not stamp.exists() or stamp.read_text() != state:
        shutil.rmtree(folder, ignore_errors=True)
        _run(uv, "venv", "--quiet", "--python", python.path, folder)
        install = (uv, "pip", "install", "--quiet", "--python", inside)
        _run(*install, "--require-hashes", "-r", ROOT / "requirements.lock")
        _run(*install, "--no-deps", "--no-build-isolation", *(part for member in _members() for part in ("-e", member)))
        stamp.write_text(state)
    return inside


def _members() -> list[Path]:
    """The folders of all distributions of this repository."""
    plugins = {path.parent for folder in ("plugins", "contrib") for path in ROOT.glob(f"{folder}/*/pyproject.toml")}
    return [ROOT / "core", *sorted(plugins - {TEMPLATE})]


def _state(python: Python) -> str:
    """Changes whenever an environment would be built otherwise."""
    parts = [(ROOT / "requirements.lock").read_bytes(), *((member / "pyproject.toml").read_bytes() for member in _members())]
    return f"{python.path} {python.version} {hashlib.sha256(b''.join(parts)).hexdigest()}"


def _run(*command: Path | str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)
