"""How valid bytes become bytes that somebody hostile could send: one small change at a time, each made from a seed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Operation = Callable[[bytes, bytes, Random], bytes]
"""Gets the bytes, other valid bytes of the same kind, and where chance comes from."""

Step = tuple[int, int]
"""The number of an operation, and the seed of its chance."""

SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 255, 65_536, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**400, 0.5, 1e308, -0.0),
    *(
        "",
        "a",
        "\0",
        "\ud800",
        "\u202e",
        "é" * 300,
        "0" * 5000,
        "~",
        "..",
        "a" * 70_000,
        "\N{ARABIC-INDIC DIGIT ONE}",
        [],
        {},
        [[]],
        [None],
        {"": None},
    ),
)
BAD_TEXT = (
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\x00",
    b"\xe2\x82",
    "\u2028".encode(),
    "\N{BYTE ORDER MARK}".encode(),
)
NUMBERS = (
    b"0",
    b"-1",
    b"00",
    b"1e9999",
    b"NaN",
    b"-Infinity",
    b"9" * 400,
    b"9" * 5000,
    b"18446744073709551616",
    b"1.5",
    b"0x10",
    "²".encode(),
)
MAX_GROWN = 200_000
"""Bytes beyond which nothing grows further."""


def flip(data: bytes, _: bytes, random: Random) -> bytes:
    """One bit, or a few bytes, are others."""
    if not data:
        return random.randbytes(4)
    changed = bytearray(data)
    for _turn in range(random.choice((1, 1, 1, 2, 8))):
        changed[random.randrange(len(changed))] ^= random.choice((1 << random.randrange(8), random.randrange(1, 256)))
    return bytes(changed)


def cut(data: bytes, _: bytes, random: Random) -> bytes:
    """The end, the beginning or a piece from within is missing."""
    start, end = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
    return random.choice((data[:start], data[start:], data[:start] + data[end:]))


def splice(data: bytes, other: bytes, random: Random) -> bytes:
    """It goes on as another one does, or has a piece of it within."""
    here, start, end = random.randrange(len(data) + 1), *sorted((random.randrange(len(other) + 1), random.randrange(len(other) + 1)))
    return random.choice((data[:here] + other[start:], data[:here] + other[start:end] + data[here:]))


def repeat(data: bytes, _: bytes, random: Random) -> bytes:
    """A piece is there again and again."""
    start, end = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
    times = min(random.choice((1, 2, 8, 64, 1024)), MAX_GROWN // (end - start + 1))
    return data[:end] + data[start:end] * times + data[end:]


def insert(data: bytes, _: bytes, random: Random) -> bytes:
    """Something that is no text, or no character that anybody sees, is within."""
    here, what = random.randrange(len(data) + 1), random.choice((*BAD_TEXT, random.randbytes(random.randrange(1, 9))))
    return data[:here] + what + data[here + random.choice((0, 1)) :]


def renumber(data: bytes, _: bytes, random: Random) -> bytes:
    """A run of digits is another number, or none."""
    runs = [found.span() for found in re.finditer(rb"[0-9]+", data)]
    start, end = random.choice(runs) if runs else (len(data), len(data))
    return data[:start] + random.choice(NUMBERS) + data[end:]


def nest(data: bytes, _: bytes, random: Random) -> bytes:
    """A great many arrays or objects are inside one another: as JSON, or as MessagePack."""
    here, depth = random.randrange(len(data) + 1), random.choice((10, 64, 65, 900, 5000, 50_000))
    opening = random.choice((b"[", b'{"a":', b"\x91", b"\x81\xa0", b"\xdd\x00\x00\x00\x01"))
    closing = {b"[": b"]", b'{"a":': b"}"}.get(opening, b"")
    return data[:here] + opening * depth + random.choice((b"", b"0")) + closing * depth + data[here:]


def reshape(data: bytes, other: bytes, random: Random) -> bytes:
    """A value somewhere in the JSON is another one, gone, or taken from elsewhere; what is no JSON is changed as bytes."""
    try:
        tree = json.loads(data)
        places = _places(tree)
        if not places:
            return _dumped(random.choice(SCALARS), random)
        holder, key = random.choice(places)
        match random.randrange(4):
            case 0:
                del holder[key]
            case 1:
                holder[key] = json.loads(json.dumps(random.choice(places)[0]))
            case _:
                holder[key] = random.choice(SCALARS)
        return _dumped(tree, random)
    except (ValueError, RecursionError):
        return flip(data, other, random)


def double_key(data: bytes, _: bytes, random: Random) -> bytes:
    """A key of an object is there twice, with two values."""
    objects = list(re.finditer(rb'{\s*("[^"]*")?', data))
    if not objects:
        return data
    found = random.choice(objects)
    place, key = found.start() + 1, found[1] or b'"a"'
    return data[:place] + key + b":" + _dumped(random.choice(SCALARS), random) + b"," + data[place:]


OPERATIONS: tuple[Operation, ...] = (flip, cut, splice, repeat, insert, renumber, nest, reshape, reshape, double_key)


def mutated(data: bytes, other: bytes, steps: Sequence[Step]) -> bytes:
    """``data`` after these changes."""
    for number, seed in steps:
        if len(data) > MAX_GROWN:
            break
        data = OPERATIONS[number % len(OPERATIONS)](data, other, Random(seed))
    return data


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree of JSON, as what holds it and its key there."""
    found: list[tuple[Any, Any]] = []
    level = [tree]
    while level:
        holder = level.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        found += [(holder, key) for key in keys]
        level += [holder[key] for key in keys]
    return found


def _dumped(value: Any, random: Random) -> bytes:
    return json.dumps(value, ensure_ascii=random.choice((True, False)), separators=(",", ":")).encode("utf-8", "surrogatepass")
