"""What is sent to measure speed, and how the programs of the benchmark tell of it. The messages are those of ``hallway bench``."""

from __future__ import annotations

import json
import random
from typing import Any

from hallway.cli.bench_messages import SEED, bodies, json_texts, messages

__all__ = ["COUNT", "json_texts", "messages", "rows", "say"]

COUNT = "count"


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def rows(count: int) -> list[tuple[int, bytes, bytes]]:
    """As many rows of small messages: number, id, body."""
    made, kinds = random.Random(SEED), bodies()
    return [(number, made.randbytes(16), kinds[number % len(kinds)]) for number in range(count)]
