"""About how many bytes of memory the values of a large message take, found out before they are made. Pure."""

from __future__ import annotations

VALUE_BYTES = 64
"""Bytes of memory that a small value takes, about."""
MAX_WEIGHT = 256 * 1024 * 1024
"""What the values of one message may weigh: 16 MiB could become a gigabyte of empty lists."""
MAX_LOOKS = 4096
"""Values that are looked at one by one; behind them, every byte that may begin a value counts as one."""
_FIRST, _BEHIND = 0x80, 0xFB
HEADERS = bytes(range(_FIRST, _BEHIND))
"""How everything begins but the numbers from -5 to 127, of which Python has each once."""
EXTENSIONS = frozenset((*range(0xC7, 0xCA), *range(0xD4, 0xD9)))

_FIXED = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
_FIXED |= {0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17} | {0xA0 + size: size for size in range(32)}
_LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4}
"""Of texts, bytes and extensions: how many bytes tell their length. The type of an extension is one byte more."""


def of_json(text: str | bytes) -> int:
    """The weight of the values of a JSON text."""
    data = text if isinstance(text, bytes) else text.encode()
    return len(data) + VALUE_BYTES * sum(data.count(each) for each in (b"[", b"{", b",", b":"))


def headers(data: bytes) -> int:
    """How many bytes of MessagePack may begin a value."""
    return len(data) - len(data.translate(None, HEADERS))


def of_headers(data: bytes) -> int:
    """The weight of MessagePack if every byte that may begin a value does: too much where there are bytes and texts, and quickly told."""
    return len(data) + VALUE_BYTES * headers(data)


def of_message(data: bytes) -> int:
    """The weight of a packed message: what is in its texts and bytes is no value."""
    if data[:1] and data[0] in EXTENSIONS:
        return of_json(data)
    at = values = looks = 0
    while at < len(data) and looks < MAX_LOOKS:
        head = data[at]
        values += _FIRST <= head < _BEHIND
        looks += 1
        at += 1 + _behind(data, at, head)
    return min(at, len(data)) + VALUE_BYTES * values + of_headers(data[at:])


def _behind(data: bytes, at: int, head: int) -> int:
    """Bytes behind the head at ``at`` that belong to its value and are none themselves."""
    width = _LENGTHS.get(head)
    if width is None:
        return _FIXED.get(head, 0)
    return width + int.from_bytes(data[at + 1 : at + 1 + width], "big") + (head in EXTENSIONS)
