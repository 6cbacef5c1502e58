"""``make bench-docs``: from the results of the last ``make bench`` to what the documentation shows of them.

Writes docs/reference/speed.json (the numbers, without the single rounds), docs/reference/speed.png (drawn from it), and what
docs/generate.py makes of it: docs/reference/speed.md and the table in the README.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import runpy
import time
from pathlib import Path
from typing import Any

from tests.bench import speed_report

ROOT = Path(__file__).parents[2]
SHOWN = ROOT / "docs" / "reference"
SECTIONS = ("machine", "connect", "speed", "idle")
SINGLE = "all_ms"
"""The single rounds of a figure, which the documentation does not need."""


def machine() -> dict[str, Any]:
    """Where and when a run is made."""
    return {"day": time.strftime("%Y-%m-%d"), "python": platform.python_version(), "cores": os.cpu_count()}


def digest(results: dict[str, Any]) -> dict[str, Any]:
    """What the documentation needs of ``results``."""
    return {name: _without_rounds(results[name]) for name in SECTIONS}


def _without_rounds(value: Any) -> Any:
    return {key: _without_rounds(inner) for key, inner in value.items() if key != SINGLE} if isinstance(value, dict) else value


def publish(results: dict[str, Any], folder: Path) -> None:
    """Write the numbers and their picture, which names the numbers that it shows, into ``folder``."""
    text = json.dumps(digest(results), indent=2) + "\n"
    (folder / "speed.json").write_text(text)
    speed_report.plot(results["speed"], folder / "speed.png", source=source(text))


def source(text: str) -> str:
    """How a picture names the file that it was drawn from."""
    return f"speed.json {hashlib.sha256(text.encode()).hexdigest()}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-docs", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=Path("bench/results.json"))
    publish(json.loads(parser.parse_args().results.read_text()), SHOWN)
    runpy.run_path(str(ROOT / "docs" / "generate.py"), run_name="__main__")


if __name__ == "__main__":
    main()
