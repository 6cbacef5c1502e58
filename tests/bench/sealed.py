"""What the sealed mode costs beside the open one, on the same hosts in the same run: one after the other, and again.

``python -m tests.bench.sealed`` runs this section alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "lab"), str(HERE.parent / "e2e" / "support"), str(HERE.parents[1] / "core" / "tests" / "support")]

from sealed_states import Property, sealed_up  # noqa: E402
from tests.bench import trust_costs  # noqa: E402
from tests.bench.speed import OURS, PATIENCE, figures, flow, ratios  # noqa: E402

from netlab import Host, Lab, Process, matching  # noqa: E402
from site_devices import linked, up  # noqa: E402

WORK = {"pings": 1000, "rounds": 3, "sizes": [200, 16384], "counts": {"200": 20_000, "16384": 1500}}
ENVELOPES = 512
NAMES = ("serve", "send")
Report = Callable[[str], None]


async def connect(first: Process, second: Process, names: tuple[str, str]) -> float:
    """Milliseconds from found to linked, at the end that takes longer; then both end."""
    times = await asyncio.gather(linked(first, names[1]), linked(second, names[0]))
    await asyncio.gather(first.terminate(), second.terminate())
    return max(float(each["ms"]) for each in times)  # type: ignore[arg-type]


async def open_connect(one: Host, two: Host) -> float:
    first = await up(two, NAMES[0])
    await first.wait_for(matching(event="ready"), PATIENCE)
    return await connect(first, await up(one, NAMES[1]), NAMES)


async def sealed_connect(one: Host, two: Host, site: Property) -> float:
    first = await sealed_up(two, site.state(NAMES[0]))
    await first.wait_for(matching(event="ready"), PATIENCE)
    return await connect(first, await sealed_up(one, site.state(NAMES[1])), NAMES)


async def connects(one: Host, two: Host, site: Property, rounds: int, tell: Report) -> dict[str, Any]:
    """Fresh processes for each; who goes first takes turns."""
    open_, sealed = list[float](), list[float]()
    for number in range(1, rounds + 1):
        if number % 2:
            open_.append(await open_connect(one, two))
        sealed.append(await sealed_connect(one, two, site))
        if not number % 2:
            open_.append(await open_connect(one, two))
        tell(f"  round {number} of {rounds}: open {open_[-1]:.0f} ms, sealed {sealed[-1]:.0f} ms")
    found = {name: {"median_ms": statistics.median(each), "all_ms": each} for name, each in (("open", open_), ("sealed", sealed))}
    return found | {"ratio": statistics.median(sealed) / statistics.median(open_)}


async def stream(one: Host, two: Host, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    server = await two.spawn([sys.executable, OURS, "serve", NAMES[0], "aiortc"], env=environment)
    await server.wait_for(matching(event="ready"), PATIENCE)
    client = await one.spawn([sys.executable, OURS, "send", "aiortc", json.dumps(WORK)], env=environment)
    found = await figures(client)
    await server.kill()
    return found


async def streams(one: Host, two: Host, folder: Path, repeats: int, tell: Report) -> dict[str, Any]:
    """The messages of the section "speed"."""
    pairs = [(await stream(one, two, {}), await stream(one, two, {"BENCH_STATES": str(folder)})) for _ in range(repeats)]
    found = {"open": flow([pair[0] for pair in pairs]), "sealed": flow([pair[1] for pair in pairs])}
    compared = ratios(found["open"], found["sealed"])
    tell(f"  {compared}")
    return found | {"ratios": compared}


async def measure(rounds: int, repeats: int, tell: Report) -> dict[str, Any]:
    """All of this section."""
    async with Lab() as lab:
        lan = lab.lan()
        one, two = lan.host("one"), lan.host("two")
        with tempfile.TemporaryDirectory(prefix="hallway-bench-") as folder:
            site = Property(Path(folder), NAMES[1], admin=NAMES[0])
            tell("connecting in open and in sealed mode, from fresh processes")
            connected = await connects(one, two, site, rounds, tell)
            tell("messages in open and in sealed mode")
            streamed = await streams(one, two, Path(folder), repeats, tell)
    tell("an outsider's envelope and a member's")
    return {"connect": connected, "flow": streamed, "envelopes": trust_costs.measure(ENVELOPES)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sealed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    tell = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    found = asyncio.run(measure(options.rounds, options.repeats, tell))
    from tests.bench import sealed_report

    tell("\n".join(sealed_report.lines(found)))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
