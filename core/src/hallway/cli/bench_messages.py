"""What a benchmark sends: messages like those of a hotel, none like the other, of a given size as JSON."""

from __future__ import annotations

import json
import random
from typing import Any

from hallway.protocol.packed import pack

TYPE = "hallway-bench"
"""The type of these messages: no application takes them for its own."""
SMALL, LARGE = 200, 16 * 1024
"""Bytes of JSON in a message of each kind."""
LEAST = 192
"""Bytes that every message can have at least."""
SEED = 20261127
KINDS, LARGE_KINDS = 1000, 32
"""How many different ones there are: enough that what compresses cannot know them."""
STATES = ("clean", "occupied", "dirty", "blocked")
WORDS = (
    "towels",
    "minibar",
    "late",
    "checkout",
    "window",
    "lamp",
    "quiet",
    "floor",
    "pillow",
    "guest",
    "breakfast",
    "early",
    "bed",
    "please",
)


def messages(size: int) -> list[dict[str, Any]]:
    """Values whose JSON text has ``size`` bytes: the same at every call."""
    made = random.Random(SEED)
    return [_message(made, size) for _ in range(KINDS if size < LARGE // 4 else LARGE_KINDS)]


def json_texts(size: int) -> list[str]:
    """The same as JSON."""
    return [json.dumps(message) for message in messages(size)]


def bodies() -> list[bytes]:
    """The small ones as the store keeps them."""
    return [pack(message) for message in messages(SMALL)]


def _message(made: random.Random, size: int) -> dict[str, Any]:
    message = {
        "type": TYPE,
        "room": made.randrange(101, 460),
        "state": made.choice(STATES),
        "at": round(1.7e9 + made.random() * 1e7, 3),
        "ref": f"{made.getrandbits(64):016x}",
        "note": "",
    }
    missing = size - len(json.dumps(message))
    if missing < 0:
        raise ValueError(f"a message has {LEAST} bytes at least, not {size}")
    note = ""
    while len(note) < missing:
        note += made.choice(WORDS) + " "
    message["note"] = note[:missing]
    return message
