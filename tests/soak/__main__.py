"""``make soak``: six devices that talk all the time while everything around them fails at random.

SOAK_MINUTES says for how long (20), SOAK_SEED repeats the faults of an earlier run. Writes bench/soak.json. It needs the lab.
Exit status 1: a link did not come back, a message came twice, out of order or was lost without a break of its link, or memory or
open files grew.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "lab"), str(HERE.parent / "e2e" / "support")]

from tests.soak import report  # noqa: E402
from tests.soak.site import Soak  # noqa: E402

from netlab import Lab, missing  # noqa: E402

DEVICES = 6
RESULTS = Path("bench/soak.json")


def tell(text: str) -> None:
    print(text, flush=True)


async def soak(seconds: float, seed: int) -> dict[str, object]:
    async with Lab() as lab:
        run = Soak(lab, DEVICES, Random(seed))
        await run.run(seconds, tell)
        return report.account(run, seed, seconds)


def main() -> None:
    if reason := missing():
        sys.exit(f"the soak runs in the lab, which cannot be built here: {reason}")
    seconds = float(os.environ.get("SOAK_MINUTES", "20")) * 60
    seed = int(os.environ.get("SOAK_SEED") or secrets.randbelow(2**32))
    tell(f"{DEVICES} devices, {seconds / 60:g} minutes; SOAK_SEED={seed} repeats these faults")
    results = asyncio.run(soak(seconds, seed))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    tell("\n".join(["", *report.lines(results), f"written to {RESULTS}; SOAK_SEED={seed}"]))
    if bad := list(report.complaints(results)):
        tell("\n".join(["", "this must not happen:", *bad]))
        sys.exit(1)


main()
