"""Slips that TOML invites, seen before the classes look: what they would say of them leads astray. And the order of mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from hallway.config.converter import nearest
from hallway.config.kinds import shown
from hallway.config.schema import Config
from hallway.errors import UNKNOWN_KEY, Mistake
from hallway.plugins.catalog import Catalog

_TOP_LEVEL = tuple(field.name for field in attrs.fields(Config))
_MISPLACED = "security"
LAST = float("inf")


def mend(raw: dict[str, Any], catalog: Catalog) -> list[Mistake]:
    """Put what stands in a wrong place into the right one, in ``raw`` and in copies of its tables, and say so."""
    return [*_mend_security(raw, catalog), *_mend_tables(raw, catalog)]


def _mend_security(raw: dict[str, Any], catalog: Catalog) -> Iterator[Mistake]:
    """``security`` after a table's header belongs to that table."""
    for path, table in _tables(raw):
        if _MISPLACED not in table or _knows(path, catalog):
            continue
        yield Mistake(f"{'.'.join(map(shown, path))}.{_MISPLACED}", UNKNOWN_KEY, "belongs above the first [table]")
        rest = dict(table)
        raw.setdefault(_MISPLACED, rest.pop(_MISPLACED))
        if len(path) == 1:
            raw[path[0]] = rest
        else:
            raw[path[0]] = {**raw[path[0]], path[1]: rest}


def _knows(path: tuple[str, ...], catalog: Catalog) -> bool:
    """Whether a plugin's table has such a key of its own, or may have."""
    if len(path) == 1:
        return False
    cls = catalog.config_class(path[1])
    return cls is None or _MISPLACED in attrs.fields_dict(cls)


def _tables(raw: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Mapping[str, Any]]]:
    plugins = raw.get("plugins")
    tables: list[tuple[tuple[str, ...], Any]] = [((name,), table) for name, table in raw.items() if name != "plugins"]
    tables += [(("plugins", name), table) for name, table in plugins.items()] if isinstance(plugins, Mapping) else []
    return [(path, table) for path, table in tables if isinstance(table, Mapping)]


def _mend_tables(raw: dict[str, Any], catalog: Catalog) -> Iterator[Mistake]:
    """A plugin's table is below ``plugins``."""
    for name in [name for name, table in raw.items() if name not in _TOP_LEVEL and isinstance(table, Mapping)]:
        meant = nearest(name, catalog.all_names())
        if meant and not nearest(name, _TOP_LEVEL):
            yield Mistake(shown(name), UNKNOWN_KEY, f"did you mean [plugins.{meant}]?")
            del raw[name]


def in_file_order(mistakes: Iterable[Mistake], raw: Mapping[str, Any]) -> list[Mistake]:
    """``mistakes`` in the order of their keys in ``raw``; what is missing comes after what its table has."""
    return sorted(mistakes, key=lambda mistake: _place(raw, mistake.path))


def _place(node: object, path: str) -> tuple[float, ...]:
    if not path or not isinstance(node, Mapping | list | tuple):
        return ()
    children = node.items() if isinstance(node, Mapping) else ((f"[{index}]", each) for index, each in enumerate(node))
    for index, (key, child) in enumerate(children):
        rest = path.removeprefix(shown(key))
        if rest != path and (not rest or rest[0] in ".["):
            return (index, *_place(child, rest.removeprefix(".")))
    return (LAST,)
