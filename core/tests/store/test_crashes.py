"""A process that is killed at any moment: what it was told is on disk is there, once and in order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from store_rig import ALL

from hallway.store import Store

TOILING = Path(__file__).parent / "support" / "toiling.py"
ROUNDS = 200 if os.environ.get("SOAK") else 15


class Told:
    """What the process was told over all its lives."""

    def __init__(self) -> None:
        self.put: dict[int, tuple[int, int]] = {}
        self.put_one: dict[int, int] = {}
        self.received = 0
        self.acked = 0
        self.next = 1

    def read(self, line: str) -> None:
        match line.split():
            case ["open", notices]:
                assert notices == "0"
            case ["put", n, two, three]:
                self.put[int(n)] = int(two), int(three)
            case ["put_one", n, seq]:
                self.put_one[int(n)] = int(seq)
            case ["received", n]:
                self.received = max(self.received, int(n))
            case ["acked", seq]:
                self.acked = max(self.acked, int(seq))


def live_and_be_killed(path: Path, told: Told, received: int, lines: int) -> None:
    """One life that ends by SIGKILL after so many lines; what was printed before it died counts."""
    arguments = [sys.executable, str(TOILING), str(path), str(told.next), str(received + 1)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(lines):
            told.read(process.stdout.readline())
        process.kill()
        for line in process.stdout:
            if line.endswith("\n"):
                told.read(line)
    assert process.returncode == -signal.SIGKILL, "it died of itself"
    # Far ahead of what the dead process may have put without being told.
    told.next = max([told.next, *told.put, *told.put_one]) + 1000


async def compare(store: Store, told: Told) -> int:
    """Hold the store against what its processes were told; returns how far it has received."""
    two = {int.from_bytes(item.message_id, "big"): item.seq for item in await store.waiting("tablet-2", "", 0, **ALL)}
    three = {int.from_bytes(item.message_id, "big"): item.seq for item in await store.waiting("tablet-3", "", 0, **ALL)}
    assert {n: seq for n, seq in two.items() if n in told.put} == {n: seqs[0] for n, seqs in told.put.items()}
    assert list(two.values()) == list(range(1, len(two) + 1))
    assert list(two) == sorted(two)
    first = min(three.values())
    assert first > told.acked
    assert list(three.values()) == list(range(first, len(three) + first))
    assert {n: seq for n, seq in three.items() if n in told.put} == {n: seqs[1] for n, seqs in told.put.items() if seqs[1] >= first}
    four = {int.from_bytes(item.message_id, "big"): item.seq for item in await store.waiting("tablet-4", "", 0, **ALL)}
    assert {n: seq for n, seq in four.items() if n in told.put_one} == told.put_one
    assert list(four.values()) == list(range(1, len(four) + 1))
    (position,) = await store.positions()
    assert position.upto >= told.received
    assert [item.seq for item in await store.inbox(0, **ALL)] == list(range(1, position.upto + 1))
    return position.upto


@pytest.mark.timeout(60 if ROUNDS == 15 else 1200)
async def test_what_was_told_to_be_on_disk_outlives_every_kill(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance, told, path, received = random.Random(seed), Told(), tmp_path / "hallway.db", 0
    for _ in range(ROUNDS):
        live_and_be_killed(path, told, received, lines=chance.randrange(20, 120))
        store = await Store.open(str(path))
        assert store.notices == ()
        received = await compare(store, told)
        await store.aclose()
    assert min(len(told.put), len(told.put_one), told.acked) > ROUNDS
