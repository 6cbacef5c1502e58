"""JSON as it crosses the wire (RFC 8259): strict, bounded, and with one error whatever is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from itertools import chain, compress
from typing import Any, Never

MAX_DEPTH = 64
"""Arrays and objects inside one another, at most."""


class BadJson(ValueError):
    """The text is not JSON, or goes beyond our bounds; the message says what is wrong without quoting it."""


def loads(text: str | bytes) -> Any:
    """Parse ``text``; NaN and infinities are not JSON, nor is half a surrogate pair a character.

    Raises:
        BadJson: not JSON, not UTF-8, nested deeper than `MAX_DEPTH`, or with what `dumps` could not write.

    """
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        value = json.loads(decoded, parse_constant=_refuse_constant, parse_float=_finite)
        _check_depth(decoded, value)
        if "\\ud" in decoded.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except BadJson:
        raise
    except (ValueError, RecursionError) as error:
        raise BadJson(f"not JSON: {_reason(error)}") from error
    return value


def dumps(value: Any) -> str:
    """Write ``value`` in the shortest form.

    Raises:
        BadJson: it is not a JSON value (other types, NaN, lone surrogates), or nested deeper than `MAX_DEPTH`.

    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadJson(f"not a JSON value: {_reason(error)}") from error
    _check_depth(text, value)
    return text


_CONTAINERS = (dict, list, tuple)


def check_depth(value: Any) -> None:
    """Raise `BadJson` if ``value`` is nested deeper than `MAX_DEPTH`."""
    for depth, level in enumerate(levels(value)):
        if depth > MAX_DEPTH and level.nests:
            raise BadJson(f"nested deeper than {MAX_DEPTH}")


def _check_depth(text: str, value: Any) -> None:
    """The same, for a value whose text clears it of suspicion if there are few brackets."""
    if text.count("[") + text.count("{") > MAX_DEPTH:
        check_depth(value)


class Level:
    """Values at one depth. Nothing here goes from one to the next in Python, for there may be millions of them."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values
        self._kinds = set(map(type, values))

    @property
    def nests(self) -> bool:
        """Whether there are arrays or objects among them."""
        return any(issubclass(each, _CONTAINERS) for each in self._kinds)

    def of(self, kind: type | tuple[type, ...]) -> Iterable[Any]:
        """Those of that kind."""
        kinds = {each for each in self._kinds if issubclass(each, kind)}
        return compress(self._values, map(kinds.__contains__, map(type, self._values))) if kinds else ()

    def inside(self) -> list[Any]:
        """What is in them."""
        return list(chain.from_iterable(chain(map(dict.values, self.of(dict)), self.of((list, tuple)))))


def levels(value: Any) -> Iterator[Level]:
    """``value`` alone, what is in it, what is in that, and so on."""
    values = [value]
    while values:
        level = Level(values)
        yield level
        values = level.inside()


def _refuse_constant(name: str) -> Never:
    raise BadJson(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadJson("a number is too large")
    return number


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:120]
