"""stevedore finds: which plugins are installed, and their modules. Only what is named is imported; one that fails spares the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

import attrs
from stevedore.extension import Extension
from stevedore.named import NamedExtensionManager

from hallway.errors import PluginError
from hallway.plugins.requirements import unmet
from hallway.plugins.roles import GROUPS

Extra = Mapping[str, Mapping[str, Any]]
"""Plugins that are not installed: group → name → module, or any object with hooks."""


class _Source(Protocol):
    """The part of `importlib.metadata.EntryPoint` that is used."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def group(self) -> str: ...
    def load(self) -> Any: ...


@attrs.frozen
class _Given:
    """An entry point for an object that the program passed."""

    name: str
    group: str
    target: Any = attrs.field(repr=False)

    @property
    def value(self) -> str:
        return getattr(self.target, "__name__", type(self.target).__qualname__)

    def load(self) -> Any:
        return self.target


@attrs.frozen
class Installed:
    """One entry point: its group and name, and the distribution that brings it, with the version ("" if the program passed it)."""

    group: str
    name: str
    distribution: str
    version: str
    source: _Source = attrs.field(repr=False, eq=False)

    @property
    def owner(self) -> str:
        """The distribution and its version, for messages."""
        return f"{self.distribution} {self.version}".strip()

    def error(self, problem: str, *, hint: str = "") -> PluginError:
        """A `PluginError` of this plugin."""
        return PluginError(self.name, problem, distribution=self.owner, hint=hint)


@attrs.frozen
class Imported:
    """An installed plugin and its module (or the object that its entry point names)."""

    installed: Installed
    module: Any = attrs.field(repr=False, eq=False)


def installed(extra: Extra | None = None, *, groups: Iterable[str] = GROUPS) -> tuple[Installed, ...]:
    """Every entry point of ``groups``, by group and name, without importing any. Read afresh from the file system at each call."""
    found = entry_points()
    given = extra or {}
    return tuple(
        sorted(
            (item for group in groups for item in (*map(_described, found.select(group=group)), *_given(group, given.get(group, {})))),
            key=lambda item: (GROUPS.index(item.group), item.name, item.distribution),
        )
    )


def _described(entry_point: EntryPoint) -> Installed:
    dist = entry_point.dist
    metadata: Any = dist.metadata if dist else {}
    name, version = metadata.get("Name"), metadata.get("Version")
    return Installed(entry_point.group, entry_point.name, name or "an unknown distribution", version or "", entry_point)


def _given(group: str, modules: Mapping[str, Any]) -> Iterable[Installed]:
    return (Installed(group, name, "the program itself", "", _Given(name, group, module)) for name, module in modules.items())


def import_plugins(candidates: Sequence[Installed], group: str, names: Sequence[str]) -> tuple[Imported | PluginError, ...]:
    """Import the plugins of ``group`` that ``names`` lists, in that order; a name that is not installed is left out.

    One that cannot be imported, was made for another version of hallway, or comes from two distributions is a `PluginError` in its place.
    """
    owners = {name: [item for item in candidates if (item.group, item.name) == (group, name)] for name in names}
    single = [items[0] for items in owners.values() if len(items) == 1]
    unfit = {item.name: problem for item in single if (problem := _unfit(item))}
    finder = _Finder(group, [item for item in single if item.name not in unfit])
    results = {name: _duplicate(items) for name, items in owners.items() if len(items) > 1} | unfit | finder.results()
    return tuple(results[name] for name in names if name in results)


def _unfit(item: Installed) -> PluginError | None:
    problem = unmet(getattr(item.source, "dist", None))
    return item.error(problem, hint="install versions of the two that go together") if problem else None


def _duplicate(items: Sequence[Installed]) -> PluginError:
    owners = " and ".join(item.owner for item in items)
    return PluginError(items[0].name, f"{items[0].group} has two of this name", distribution=owners, hint="uninstall all but one of them")


class _Finder(NamedExtensionManager[Any]):
    """stevedore over entry points that were just read.

    Its own list comes from a cache on disk that rounds file times to 128 s (so it can miss a re-installation), forgets distributions, and
    leaves files in the user's home.
    """

    def __init__(self, group: str, candidates: Sequence[Installed]) -> None:
        self._candidates = {item.name: item for item in candidates}
        self._failures: dict[str, PluginError] = {}
        super().__init__(group, list(self._candidates), on_load_failure_callback=_note_failure, on_missing_entrypoints_callback=None)

    def list_entry_points(self) -> list[Any]:
        return [item.source for item in self._candidates.values()]

    def _load_one_plugin(self, ep: Any, *args: Any) -> Extension[Any] | None:
        try:
            return super()._load_one_plugin(ep, *args)
        except (AssertionError, SystemExit) as error:
            # stevedore lets these two through, and a plugin must not end the device.
            raise ImportError(f"{type(error).__name__}: {error}") from error

    def note_failure(self, name: str, error: BaseException) -> None:
        cause = error.__cause__ if isinstance(error.__cause__, AssertionError | SystemExit) else error
        failure = self._candidates[name].error(
            f"it cannot be imported: {type(cause).__name__}: {cause}", hint="reinstall or upgrade that distribution"
        )
        failure.__cause__ = error
        self._failures[name] = failure

    def results(self) -> dict[str, Imported | PluginError]:
        loaded = {extension.name: Imported(self._candidates[extension.name], extension.plugin) for extension in self.extensions}
        return {**loaded, **self._failures}


def _note_failure(finder: Any, entry_point: Any, error: BaseException) -> None:
    finder.note_failure(entry_point.name, error)
