"""Connecting while the network loses packets, beside bare aiortc in the same run. Alone: ``python -m tests.bench.loss [ROUNDS]``."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
if str(HERE.parent / "lab") not in sys.path:
    sys.path.append(str(HERE.parent / "lab"))

from netlab import Fault, Host, Lab, Process, ProcessError, matching, missing  # noqa: E402

END = HERE / "loss_end.py"
LEVELS = (0.0, 1.0, 5.0, 20.0)
"""Percent of the packets that are lost, in each direction."""
PATIENCE = 30.0
"""Seconds after which a connect counts as failed."""
AT_ONCE = 8
"""Connects of bare aiortc that run beside each other where it mostly waits; all others run alone, so that none delays another."""
LOSSY = 20.0

OUTAGE = 3.0
"""Seconds without any packet, and up to one more."""
UNDER_WAY = 0.5
"""Seconds of traffic before an outage."""
STREAMS = {"bulk": (16_000, 0.0), "trickle": (50, 0.02)}
"""Bytes in one message, and seconds between two."""
OUTAGE_SHARE = 8
"""Connects at each level for each outage."""

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
        taken = await self._open(number)
        await self.close(number)
        return taken

    async def close(self, number: int) -> None:
        """Close one channel, without waiting for it."""
        for end in (self.dialer, self.answerer):
            await end.send_json({"do": "close", "id": number})

    async def outage(self, fault: Callable[[], Fault], seconds: float, size: int, pause: float) -> float:
        """Seconds from the end of an outage of ``seconds`` to the next message of a stream that is under way all the time."""
        number = next(_numbers)
        if await self._open(number) is None:
            raise RuntimeError("no channel opened without loss")
        await self.dialer.send_json({"do": "stream", "id": number, "size": size, "pause": pause})
        await asyncio.sleep(UNDER_WAY)
        with fault():
            await asyncio.sleep(seconds)
        start = time.perf_counter()
        await self.answerer.wait_for(matching(event="resumed", id=number), PATIENCE)
        taken = time.perf_counter() - start
        await self.close(number)
        return taken

    async def _open(self, number: int) -> float | None:
        offer = await self._ask(self.dialer, "offer", number)
        start = time.perf_counter()
        answer = await self._ask(self.answerer, "answer", number, sdp=offer["sdp"])
        await self.dialer.send_json({"do": "accept", "id": number, "sdp": answer["sdp"]})
        try:
            await asyncio.gather(*(end.wait_for(matching(event="open", id=number), PATIENCE) for end in (self.dialer, self.answerer)))
            taken = time.perf_counter() - start
        except ProcessError:
            taken = PATIENCE
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
    times: dict[str, list[float | None]] = {kind: [] for kind in kinds}
    for ends in kinds.values():
        await ends.connect()
    with one.drop(percent):
        # In turns, so that what else the machine does falls on both.
        for _ in range(0, rounds, AT_ONCE):
            for kind, ends in kinds.items():
                times[kind] += await _series(ends, AT_ONCE, AT_ONCE if kind == "bare" and percent >= LOSSY else 1)
    for ends in kinds.values():
        await ends.stop()
    found = {kind: _summary(each) for kind, each in times.items()}
    return {**found, "ratio_hallway_to_bare": found["hallway"]["median_ms"] / found["bare"]["median_ms"]}


def _shown(found: dict[str, Any]) -> str:
    return f"median {found['median_ms']:.0f} ms, max {found['max_ms']:.0f} ms"


async def _outages(one: Host, two: Host, rounds: int) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for kind in ("bare", "hallway"):
        ends = await Ends.start(kind, one, two)
        for name, (size, pause) in STREAMS.items():
            # Each a little longer than the one before: all phases of a timer of 1 s have their share.
            lengths = [OUTAGE + number / rounds for number in range(rounds)]
            times = sorted([await ends.outage(lambda: one.drop(100), length, size, pause) for length in lengths])
            results[f"{kind} {name}"] = {"median_ms": statistics.median(times) * 1000, "max_ms": times[-1] * 1000}
            found = results[f"{kind} {name}"]
            tell(f"  outage of {OUTAGE:g} to {OUTAGE + 1:g} s, {kind:8} {name:8} first message after it: {_shown(found)}")
        await ends.stop()
    return results


async def measure(lab: Lab, rounds: int) -> dict[str, Any]:
    """Connect at least ``rounds`` times at each of `LEVELS` with both, and sit out outages; prints and returns the figures."""
    lan = lab.lan()
    one, two = lan.host("lossy"), lan.host("other")
    results: dict[str, Any] = {"outage": await _outages(one, two, max(1, rounds // OUTAGE_SHARE))}
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
