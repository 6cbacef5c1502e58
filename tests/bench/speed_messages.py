"""What is sent to measure speed: messages of a hotel, none like the other, of a given size as JSON."""

from __future__ import annotations

import json
import random
from typing import Any

from hallway.protocol.packed import pack

SEED = 20261127
KINDS = 1000
"""How many different ones there are."""
COUNT = "count"
WORDS = [
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
]


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def messages(size: int) -> list[dict[str, Any]]:
    """Values whose JSON text has ``size`` bytes."""
    made = random.Random(SEED)
    return [_message(made, size) for _ in range(KINDS if size < 4096 else 32)]


def json_texts(size: int) -> list[str]:
    """The same as JSON."""
    return [json.dumps(message) for message in messages(size)]


def rows(count: int) -> list[tuple[int, bytes, bytes]]:
    """As many rows of 200-byte messages: number, id, body."""
    made, bodies = random.Random(SEED), [pack(message) for message in messages(200)]
    return [(number, made.randbytes(16), bodies[number % len(bodies)]) for number in range(count)]


def _message(made: random.Random, size: int) -> dict[str, Any]:
    room = made.randrange(101, 460)
    state = made.choice(["clean", "occupied", "dirty", "blocked"])
    ref, at = f"{made.getrandbits(64):016x}", 1.7e9 + made.random() * 1e7
    message = {"type": "room-status", "room": room, "state": state, "at": at, "ref": ref, "note": ""}
    missing = size - len(json.dumps(message))
    note = ""
    while len(note) < missing:
        note += made.choice(WORDS) + " "
    message["note"] = note[:missing]
    return message
