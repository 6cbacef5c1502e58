"""JSON as it crosses the wire (RFC 8259): strict, bounded, and with one error whatever is wrong."""

from __future__ import annotations

import json
import math
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
        check_depth(value)
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
    check_depth(value)
    return text


_CONTAINERS = (dict, list, tuple)


def check_depth(value: Any) -> None:
    """Raise `BadJson` if ``value`` is nested deeper than `MAX_DEPTH`."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise BadJson(f"nested deeper than {MAX_DEPTH}")


def _children(value: Any) -> list[Any]:
    if not isinstance(value, _CONTAINERS):
        return []
    children = value.values() if isinstance(value, dict) else value
    return [child for child in children if isinstance(child, _CONTAINERS)]


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
