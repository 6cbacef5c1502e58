"""Writes plain values as TOML, one dotted key a line: easy to read, to search and to copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dotted(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The lines of ``table``; an empty inner table has none."""
    for name, value in table.items():
        key = f"{prefix}{key_text(name)}"
        if isinstance(value, Mapping):
            yield from dotted(value, f"{key}.")
        else:
            yield f"{key} = {_value(value)}"


def key_text(name: str) -> str:
    """One part of a dotted key."""
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    # JSON's escapes are TOML's, but TOML also wants DEL escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key_text(name)} = {_value(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)
