"""Where a configuration comes from: a TOML file, the environment, ``--set``. Each source reports all its mistakes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from typing import Any

import attrs

from hallway.config.keys import PREFIX, Keys
from hallway.config.kinds import describe, shown, takes_only_text
from hallway.config.syntax import explain
from hallway.errors import UNKNOWN_KEY, ConfigError, Mistake

MAX_FILE = 64 * 1024
"""Bytes in a configuration file."""
MAX_DEPTH = 16
"""Tables and lists inside each other."""
MAX_DOTS = 1000
"""Dots in one line."""

OTHER_VARIABLES = frozenset({"HALLWAY_LOG"})
"""Variables of ours that set no key."""


@attrs.frozen
class Assignment:
    """One key set from outside the file, and by what: a variable's name, or ``--set``."""

    path: tuple[str, ...]
    value: Any
    origin: str


@attrs.define
class Assignments:
    """What one source sets, and its mistakes."""

    items: list[Assignment] = attrs.field(factory=list)
    mistakes: list[Mistake] = attrs.field(factory=list)


def read_file(path: str | PathLike[str]) -> dict[str, Any]:
    """Read a TOML file of at most 64 KiB.

    Raises:
        ConfigError: it cannot be read, or is not TOML; the mistake says the line.

    """
    name = shown(fspath(path))
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError([Mistake(name, f"cannot be read: {reason}")]) from error
    if len(content) > MAX_FILE:
        raise ConfigError([Mistake(name, f"is larger than {MAX_FILE} bytes", "is this the right file?")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError([Mistake(name, f"is not UTF-8 (line {line})", "save it as UTF-8")]) from error
    try:
        return parse(text)
    except ValueError as error:
        problem, suggestion = explain(text, str(error))
        raise ConfigError([Mistake(name, f"is not TOML: {problem}", suggestion)]) from error


def parse(text: str) -> dict[str, Any]:
    """Read TOML.

    Raises:
        ValueError: it is not TOML, or a number or a nesting in it is too large to read.

    """
    # tomllib needs time and memory quadratic in the parts of a dotted key.
    if any(line.count(".") > MAX_DOTS for line in text.splitlines()):
        raise ValueError(f"a line has more than {MAX_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def from_environment(environ: Mapping[str, str], keys: Keys) -> Assignments:
    """The keys that ``HALLWAY_…`` variables set.

    A variable that sets no key is a mistake, but for those that hallway reads elsewhere (`OTHER_VARIABLES`).
    """
    found = Assignments()
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in OTHER_VARIABLES:
            continue
        path = keys.of_variable(name)
        if path is None:
            nearest = keys.nearest_variable(name)
            found.mistakes.append(Mistake(shown(name), f"{UNKNOWN_KEY}'s variable", f"did you mean {nearest}?" if nearest else ""))
        else:
            found.items.append(Assignment(path, _value(environ[name], keys.kind(path)), shown(name)))
    return found


def from_overrides(overrides: Iterable[str], keys: Keys) -> Assignments:
    """The keys that ``--set key=value`` sets; of two for one key the later wins."""
    found = Assignments()
    for text in overrides:
        key, equals, value = text.partition("=")
        path = _dotted(key)
        if path is None or not equals:
            found.mistakes.append(Mistake(f"--set {shown(text)}", "must be key=value", "such as --set plugins.http-local.port=8091"))
        elif leaf := keys.leaf(path):
            name = ".".join(map(shown, leaf))
            found.mistakes.append(Mistake(f"--set {shown(key)}", f"{name} is no table", f"{name} takes {describe(keys.kind(leaf))}"))
        else:
            found.items.append(Assignment(path, _value(value.strip(), keys.kind(path)), "--set"))
    return found


def _dotted(key: str) -> tuple[str, ...] | None:
    if not key.isprintable():
        return None
    try:
        node: Any = parse(f"{key} = true")
    except ValueError:
        return None
    path: tuple[str, ...] = ()
    while isinstance(node, dict):
        if len(node) != 1:
            return None
        ((name, node),) = node.items()
        path = (*path, name)
    return path


def _value(text: str, kind: Any) -> Any:
    """``text`` in TOML syntax, or else as it is; room 101 stays text where only text is wanted."""
    try:
        table = parse(f"value = {text}")
    except ValueError:
        return text
    value = table["value"]
    if set(table) != {"value"} or (takes_only_text(kind) and not isinstance(value, str | list | dict)):
        return text
    return value


def merged(raw: Mapping[str, Any], assignments: Iterable[Assignment]) -> dict[str, Any]:
    """``raw`` with the assignments laid over it, in order; ``raw`` is left as it is."""
    result = dict(raw)
    for assignment in assignments:
        *tables, last = assignment.path
        node = _inner(result, tables)
        if node is not None:
            node[last] = assignment.value
    return result


def _inner(node: dict[str, Any], tables: Iterable[str]) -> dict[str, Any] | None:
    """The table below ``node``, copied on the way; None if something else is there, which is a mistake found later."""
    for name in tables:
        inner = node.get(name, {})
        if not isinstance(inner, Mapping):
            return None
        node[name] = node = dict(inner)
    return node


def is_too_deep(value: object) -> bool:
    """Whether tables and lists are nested deeper than any key of ours (or in a circle)."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: object) -> Iterable[object]:
    if isinstance(node, Mapping):
        return node.values()
    return node if isinstance(node, list | tuple) else ()
