"""Connecting while the network loses packets, beside bare aiortc in the same run. Alone: ``python -m tests.bench.loss [ROUNDS]``."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
if str(HERE.parent / "lab") not in sys.path:
    sys.path.append(str(HERE.parent / "lab"))

from netlab import Host, Lab, Process, ProcessError, matching, missing  # noqa: E402

END = HERE / "loss_end.py"
LEVELS = (0.0, 1.0, 5.0, 20.0)
"""Percent of the packets that are lost, in each direction."""
PATIENCE = 30.0
"""Seconds after which a connect counts as failed."""
AT_ONCE = 8
"""Connects that run beside each other where most of the time is waiting; without loss each runs alone, so that none delays another."""
LOSSY = 5.0

_numbers = itertools.count(1)


def tell(text: str) -> None:
    print(text, flush=True)


class Ends:
    """Two processes of one kind on two hosts; descriptions pass between them through this process, which loses nothing."""

    def __init__(self, dialer: Process, answerer: Process) -> None:
        self.dialer = dialer
        self.answerer = answerer

    @classmethod
    async def start(cls, kind: str, one: Host, two: Host) -> Ends:
        """Start both."""
        ends = [await host.spawn([sys.executable, str(END), kind]) for host in (one, two)]
        for end in ends:
            await end.wait_for(matching(event="ready"), PATIENCE)
        return cls(*ends)

    async def connect(self) -> float | None:
        """Seconds from an offer to a channel that is open at both ends, or None if that takes more than `PATIENCE`."""
        number = next(_numbers)
        offer = await self._ask(self.dialer, "offer", number)
        start = time.perf_counter()
        answer = await self._ask(self.answerer, "answer", number, sdp=offer["sdp"])
        await self.dialer.send_json({"do": "accept", "id": number, "sdp": answer["sdp"]})
        try:
            await asyncio.gather(*(end.wait_for(matching(event="open", id=number), PATIENCE) for end in (self.dialer, self.answerer)))
            taken = time.perf_counter() - start
        except ProcessError:
            taken = PATIENCE
        for end in (self.dialer, self.answerer):
            await end.send_json({"do": "close", "id": number})
        return taken if taken < PATIENCE else None

    async def _ask(self, end: Process, what: str, number: int, **more: str) -> dict[str, Any]:
        await end.send_json({"do": what, "id": number, **more})
        return await end.wait_for(matching(event="sdp", id=number), PATIENCE)

    async def stop(self) -> None:
        """End both processes."""
        await asyncio.gather(self.dialer.kill(), self.answerer.kill())


async def _series(ends: Ends, rounds: int, at_once: int) -> list[float | None]:
    places = asyncio.Semaphore(at_once)

    async def one() -> float | None:
        async with places:
            return await ends.connect()

    return await asyncio.gather(*(one() for _ in range(rounds)))


def _summary(times: list[float | None]) -> dict[str, Any]:
    # A connect that failed took longer than all others.
    ranked = sorted(PATIENCE if each is None else each for each in times)
    return {
        "median_ms": statistics.median(ranked) * 1000,
        "p95_ms": ranked[int(0.95 * (len(ranked) - 1) + 0.5)] * 1000,
        "max_ms": ranked[-1] * 1000,
        "failed": times.count(None),
        "of": len(times),
    }


async def _level(one: Host, two: Host, percent: float, rounds: int) -> dict[str, Any]:
    kinds = {kind: await Ends.start(kind, one, two) for kind in ("bare", "hallway")}
    at_once = AT_ONCE if percent >= LOSSY else 1
    times: dict[str, list[float | None]] = {kind: [] for kind in kinds}
    for ends in kinds.values():
        await ends.connect()
    with one.drop(percent):
        # In turns, so that what else the machine does falls on both.
        for _ in range(0, rounds, AT_ONCE):
            for kind, ends in kinds.items():
                times[kind] += await _series(ends, AT_ONCE, at_once)
    for ends in kinds.values():
        await ends.stop()
    found = {kind: _summary(each) for kind, each in times.items()}
    return {**found, "ratio_hallway_to_bare": found["hallway"]["median_ms"] / found["bare"]["median_ms"]}


async def measure(lab: Lab, rounds: int) -> dict[str, Any]:
    """Connect at least ``rounds`` times at each of `LEVELS` with both; prints a line for each, and returns the figures by level."""
    lan = lab.lan()
    one, two = lan.host("lossy"), lan.host("other")
    results = {}
    for percent in LEVELS:
        results[f"{percent:g} %"] = found = await _level(one, two, percent, rounds)
        for kind in ("bare", "hallway"):
            each = found[kind]
            tell(
                f"  {percent:g} % loss, {kind:8} median {each['median_ms']:6.0f} ms, p95 {each['p95_ms']:6.0f} ms,"
                f" max {each['max_ms']:6.0f} ms, failed {each['failed']} of {each['of']}"
            )
    return results


async def _alone(rounds: int) -> None:
    async with Lab() as lab:
        await measure(lab, rounds)


if __name__ == "__main__":
    if reason := missing():
        sys.exit(f"the benchmark runs in the lab, which cannot be built here: {reason}")
    asyncio.run(_alone(int(sys.argv[1]) if len(sys.argv) > 1 else 40))
