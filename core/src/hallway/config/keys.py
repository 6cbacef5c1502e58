"""Which keys exist: the core's from its classes, a plugin's from its config class, which is imported only when its table is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import attrs

from hallway.config import kinds
from hallway.config.schema import Config
from hallway.plugins.catalog import Catalog

PREFIX = "HALLWAY_"
Path = tuple[str, ...]


def variable(path: Path) -> str:
    """The environment variable of a key: ``plugins.http-local.port`` is ``HALLWAY_PLUGINS__HTTP_LOCAL__PORT``."""
    return PREFIX + "__".join(map(_folded, path)).upper()


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())


class Keys:
    """The tree of all keys of this installation."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def kind(self, path: Path) -> Any:
        """The type of the value at ``path``; `Any` where nothing is known."""
        if len(path) > 1 and path[0] == "plugins":
            start, rest = self._catalog.config_class(path[1]) or Any, path[2:]
        else:
            start, rest = Config, path
        for name in rest:
            start = _child(start, name)
        return start

    def names(self, path: Path) -> Path:
        """The keys of the table at ``path``; empty if it has none, or any."""
        if path == ("plugins",):
            return self._catalog.all_names()
        kind = _table(self.kind(path))
        return tuple(field.name for field in attrs.fields(kind) if field.init) if kind else ()

    def of_variable(self, name: str) -> Path | None:
        """The path that an environment variable sets, or None if there is no such key."""
        return self._resolve(name.removeprefix(PREFIX).lower(), ())

    def _resolve(self, rest: str, path: Path) -> Path | None:
        names = self.names(path)
        fitting = [name for name in names if f"{rest}__".startswith(f"{_folded(name)}__")]
        if fitting:
            best = max(fitting, key=len)
            folded = _folded(best)
            return (*path, best) if rest == folded else self._resolve(rest.removeprefix(f"{folded}__"), (*path, best))
        parts = rest.split("__")
        return (*path, *parts) if all(parts) and not names and _is_open(self.kind(path)) else None

    def leaf(self, path: Path) -> Path | None:
        """The part of ``path`` at which a value of its own stands, not a table: nothing can be below it. None if there is none."""
        for length in range(1, len(path)):
            kind = self.kind(path[:length])
            if path[:length] != ("plugins",) and not _table(kind) and not _is_open(kind):
                return path[:length]
        return None

    def nearest_variable(self, name: str) -> str:
        """The variable that was probably meant, or ""."""
        every = {_flat(variable(path)): variable(path) for path in self._all()}
        return every.get(_flat(name)) or self._nearest_by_level(name) or _nearest_by_ending(name, every.values())

    def _nearest_by_level(self, name: str) -> str:
        path: Path = ()
        for part in name.removeprefix(PREFIX).lower().split("__"):
            folded = {_folded(known): known for known in self.names(path)}
            if path and not folded:
                break
            near = get_close_matches(part, folded, n=1)
            if not near:
                return ""
            path = (*path, folded[near[0]])
        return variable(path)

    def _all(self, path: Path = ()) -> Iterator[Path]:
        """Every key with a value of its own."""
        for name in self.names(path):
            inner = (*path, name)
            if self.names(inner):
                yield from self._all(inner)
            else:
                yield inner


def _flat(name: str) -> str:
    return re.sub("_+", "_", name)


def _nearest_by_ending(name: str, variables: Iterable[str]) -> str:
    """A variable whose last part is what ``name`` says in all."""
    rest = name.removeprefix(PREFIX).strip("_")
    return next((each for each in variables if rest and each.endswith(f"__{rest}")), "")


def _table(kind: Any) -> Any:
    return next((member for member in kinds.members(kind) if isinstance(member, type) and attrs.has(member)), None)


def _is_open(kind: Any) -> bool:
    return kind is Any or any(map(kinds.is_mapping, kinds.members(kind)))


def _child(kind: Any, name: str) -> Any:
    table = _table(kind)
    if table is not None:
        field = attrs.fields_dict(attrs.resolve_types(table)).get(name)
        return Any if field is None else field.type
    return next((kinds.value_kind(member) for member in kinds.members(kind) if kinds.is_mapping(member)), Any)
