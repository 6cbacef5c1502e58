"""One target under atheris, in a process of its own: ``python -m tests.fuzz.guided TARGET CORPUS [libFuzzer options]``."""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import atheris

PACKAGES = [
    "hallway",
    "hallway_aiortc_channel",
    "hallway_cloud_ws_signaling",
    "hallway_http_local_signaling",
    "hallway_mdns_discovery",
    "hallway_peer_relay_signaling",
    "jwt",
    "spake2",
    "tomllib",
]
"""Whose branches guide the fuzzer: all of hallway, and what of its dependencies reads bytes in Python."""

with atheris.instrument_imports(include=PACKAGES):
    from tests.fuzz.mutations import OPERATIONS, mutated
    from tests.fuzz.target import TAKEN, Room, Run, Target
    from tests.fuzz.targets import TARGETS

SLOW = 0.001
"""Seconds of a run that are worth a word."""
SLOWER = 1.2
"""So many times as slow as all before is worth another."""


class Guided:
    """Runs the target, and says when a run was slower than all before."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._slowest = SLOW

    def __call__(self, data: bytes) -> None:
        begin = time.process_time()
        self._run(data)
        if (took := time.process_time() - begin) > self._slowest * SLOWER:
            self._slowest = took
            print(f"slowest {took:.3f} s: {len(data)} bytes", file=sys.stderr, flush=True)


def mutator(seeds: tuple[bytes, ...]):
    """Every second change knows how what comes in is made."""

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.5:
            return atheris.Mutate(data, most)
        steps = [(random.randrange(len(OPERATIONS)), random.getrandbits(32)) for _ in range(random.choice((1, 1, 2, 3)))]
        return mutated(data or random.choice(seeds), random.choice(seeds), steps)[:most]

    return mutate


def sow(target: Target, run: Run, corpus: Path) -> tuple[bytes, ...]:
    """Put the samples into the corpus; those that are to be taken must be."""
    for sample in target.samples():
        if (found := run(sample)) != TAKEN:
            sys.exit(f"a sample of {target.name} is not taken: {found}")
    seeds = (*target.samples(), *target.also())
    for number, seed in enumerate(seeds):
        (corpus / f"sample-{number}").write_bytes(seed[: target.most])
    return seeds


def main() -> None:
    target = TARGETS[sys.argv[1]]
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        run = target.make(Room(Path(folder)))
        where = Path(sys.argv[2])
        if where.is_file():
            print(f"{target.name}: {run(where.read_bytes())}")
            return
        seeds = sow(target, run, where)
        options = [f"-max_len={target.most}", "-print_final_stats=1", *sys.argv[2:]]
        atheris.Setup([sys.argv[0], *options], Guided(run), custom_mutator=mutator(seeds))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
