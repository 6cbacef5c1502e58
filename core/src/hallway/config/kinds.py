"""The types that a key can have, and their names for people. The converter and the JSON Schema read them alike."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import attrs

_SCALARS: Mapping[Any, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Path: "text"}
_VALUES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    (str, "text"),
    (int, "a whole number"),
    (float, "a number"),
    (Mapping, "a table"),
    ((list, tuple), "a list"),
    (type(None), "nothing"),
)
_NUMBERS = ("a whole number", "a number", "true or false")
LONGEST_SHOWN = 80


def shown(text: object) -> str:
    """``text`` as it may be printed on any terminal: escaped if it is not printable, cut if it is long."""
    words = str(text)
    words = words if words.isprintable() else ascii(words)[1:-1]
    return words if len(words) <= LONGEST_SHOWN else f"{words[:LONGEST_SHOWN]}…"


def is_union(kind: Any) -> bool:
    """Whether ``kind`` is ``X | Y``."""
    return get_origin(kind) in (Union, types.UnionType)


def is_list(kind: Any) -> bool:
    """Whether ``kind`` is read from a list."""
    return (get_origin(kind) or kind) in (tuple, list, Sequence)


def is_mapping(kind: Any) -> bool:
    """Whether ``kind`` is read from a table with free keys."""
    return (get_origin(kind) or kind) in (dict, Mapping)


def is_enum(kind: Any) -> bool:
    """Whether ``kind`` is an enumeration, read by its values."""
    return isinstance(kind, type) and issubclass(kind, Enum)


def members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of ``kind`` without None; a kind that is no union is its only one."""
    return tuple(member for member in get_args(kind) if member is not type(None)) if is_union(kind) else (kind,)


def choices(kind: Any) -> tuple[Any, ...]:
    """The values that a ``Literal`` or an enumeration admits; empty for other kinds."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(member.value for member in kind) if is_enum(kind) else ()


def element_kinds(kind: Any, count: int) -> tuple[Any, ...] | None:
    """The kind of each of ``count`` elements; None if ``kind`` has another length."""
    arguments = get_args(kind)
    if not arguments:
        return (Any,) * count
    if (get_origin(kind) or kind) is not tuple or arguments[-1] is Ellipsis:
        return (arguments[0],) * count
    return arguments if len(arguments) == count else None


def value_kind(kind: Any) -> Any:
    """The kind of the values of a mapping."""
    return get_args(kind)[1] if get_args(kind) else Any


def takes_only_text(kind: Any) -> bool:
    """Whether a scalar for ``kind`` can be nothing but text."""
    words = {describe(member) for member in members(kind)}
    literal = [choice for member in members(kind) for choice in choices(member)]
    return all(isinstance(choice, str) for choice in literal) and ("text" in words or bool(literal)) and not words & set(_NUMBERS)


def describe(kind: Any) -> str:
    """What a value of ``kind`` is, for people."""
    if is_union(kind):
        return " or ".join(map(describe, members(kind)))
    if choices(kind):
        return f"one of {', '.join(map(repr, choices(kind)))}"
    if is_list(kind):
        return "a list"
    if is_mapping(kind) or (isinstance(kind, type) and attrs.has(kind)):
        return "a table"
    return _SCALARS.get(kind, "anything")


def describe_elements(kind: Any) -> str:
    """How many elements a list of fixed length has, and of what sort: "2 numbers"."""
    elements = get_args(kind)
    noun = "numbers" if set(elements) <= {int, float} else "texts" if set(elements) == {str} else "elements"
    return f"{len(elements)} {noun}"


def describe_value(value: Any) -> str:
    """What ``value`` is, for people, in the words of `describe`."""
    return next((words for kind, words in _VALUES if isinstance(value, kind)), f"a {type(value).__name__}")
