"""``make matrix``: every discovery with every signaling with every channel, on every Python from 3.11 to 3.13 that this machine has.

Prints the table, writes docs/reference/matrix.md and bench/matrix.json. Exit status: 0 if every cell works that can.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
from plugin_matrix.cells import Cell, distributions, installed_cells
from plugin_matrix.environments import ROOT, environment, pythons
from plugin_matrix.report import Run, as_json, page, problems, text
from plugin_matrix.trying import Outcome, outcome_of

PAGE = ROOT / "docs" / "reference" / "matrix.md"
RESULTS = ROOT / "bench" / "matrix.json"


async def here() -> Run:
    """Try every cell with this Python."""
    outcomes = []
    for cell in installed_cells():
        if not cell.impossible:
            outcome = await outcome_of(cell)
            print(f"  {cell}: {'ok' if outcome.ok else outcome.problem}", file=sys.stderr, flush=True)
            outcomes.append(outcome)
    return Run(platform.python_version(), distributions(), tuple(outcomes))


def there(interpreter: Path) -> Run:
    """Try every cell with another Python."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HALLWAY_", "PYTHON"))}
    done = subprocess.run([interpreter, __file__, "--here"], stdout=subprocess.PIPE, env=clean, check=True)
    return structured(json.loads(done.stdout))


def structured(plain: dict[str, Any]) -> Run:
    """A run out of the JSON that ``--here`` prints."""
    outcomes = tuple(Outcome(**{**each, "cell": Cell(**each["cell"])}) for each in plain["outcomes"])
    return Run(plain["python"], plain["distributions"], outcomes)


def everywhere() -> list[Run]:
    """Try every cell with every Python; those that are not there are named."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    runs = []
    for version, python in pythons().items():
        if python is None:
            print(f"Python {version}: none was found on the PATH or in pyenv")
            continue
        print(f"Python {python.version}:", flush=True)
        runs.append(there(environment(python, Path(uv))))
    return runs


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--here", action="store_true", help="only this Python; prints JSON and writes nothing")
    if options.parse_args().here:
        print(json.dumps(attrs.asdict(asyncio.run(here()))))
        return 0
    runs, cells = everywhere(), installed_cells()
    print(text(cells, runs))
    faults = problems(cells, runs)
    print(*faults, sep="\n")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(as_json(runs), indent=2) + "\n")
    if faults or not runs:
        return 1
    PAGE.write_text(page(cells, runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
