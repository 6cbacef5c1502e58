"""Which keys exist: the core's from its classes, a plugin's from its config class, which is imported only when its table is asked for."""

from __future__ import annotations

import re
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

    def nearest_variable(self, name: str) -> str:
        """The variable that was probably meant, or ""."""
        path: Path = ()
        parts = name.removeprefix(PREFIX).lower().split("__")
        for index, part in enumerate(parts):
            folded = {_folded(known): known for known in self.names(path)}
            near = get_close_matches(part, folded, n=1)
            if not near:
                return variable((*path, *parts[index:])) if path and not folded else ""
            path = (*path, folded[near[0]])
        return variable(path)


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
