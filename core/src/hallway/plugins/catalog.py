"""What is installed and what was loaded of it: the one road from a plugin's name to its provider record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

import attrs

from hallway.errors import Mistake, PluginError
from hallway.plugins.binding import Binder
from hallway.plugins.loader import Extra, Imported, Installed, import_plugins, installed
from hallway.plugins.providers import Provider
from hallway.plugins.roles import OBSERVER_GROUP, ROLES, Role

P_co = TypeVar("P_co", bound=Provider, covariant=True)


@attrs.frozen
class Provided(Generic[P_co]):
    """A provider record and who brings it."""

    installed: Installed
    provider: P_co


class Catalog:
    """The plugins of one device. Nothing is imported before it is asked for, and everything at most once.

    Args:
        extra: plugins that are not installed: group → name → module.

    """

    def __init__(self, extra: Extra | None = None) -> None:
        self.installed = installed(extra)
        self.binder = Binder()
        self._results: dict[tuple[str, str], Provided[Any] | PluginError] = {}

    def names(self, role: str) -> tuple[str, ...]:
        """The installed plugins of ``role``, by name."""
        return tuple(dict.fromkeys(item.name for item in self.installed if item.group == ROLES[role].group))

    def all_names(self) -> tuple[str, ...]:
        """The installed plugins of every role, by name: each may have a table in the configuration."""
        return tuple(dict.fromkeys(name for role in ROLES for name in self.names(role)))

    def provide(self, role: str, name: str) -> Provided[Any] | PluginError | None:
        """The provider of ``role`` and ``name``; why it cannot be had; or None if no such plugin is installed."""
        if (role, name) not in self._results:
            for imported in import_plugins(self.installed, ROLES[role].group, [name]):
                self._results[role, name] = self._bound(ROLES[role], imported)
        return self._results.get((role, name))

    def _bound(self, role: Role[Any], imported: Imported | PluginError) -> Provided[Any] | PluginError:
        if isinstance(imported, PluginError):
            return imported
        try:
            self.binder.register(imported)
            provided = Provided(imported.installed, self.binder.provider(role, imported))
            self._check_shared_table(provided)
        except PluginError as error:
            return error
        return provided

    def _check_shared_table(self, new: Provided[Any]) -> None:
        """Refuse a plugin that reads the table of an earlier one otherwise: ``[plugins.X]`` has one shape."""
        for other in self._results.values():
            if not isinstance(other, Provided) or other.provider.name != new.provider.name:
                continue
            if other.provider.config_class is not new.provider.config_class:
                raise new.installed.error(
                    f"[plugins.{other.provider.name}] has another config_class in {other.installed.group} of {other.installed.owner}",
                    hint="providers of one name share one config_class, whatever their roles",
                )

    def config_class(self, name: str, roles: Iterable[str] = tuple(ROLES)) -> type | None:
        """The class of ``[plugins.<name>]``, from the first of ``roles`` that has a working plugin of that name; None without one."""
        for role in roles:
            provided = self.provide(role, name)
            if isinstance(provided, Provided):
                found: type = provided.provider.config_class
                return found
        return None

    def failure(self, name: str) -> PluginError | None:
        """Why a plugin of that name could not be loaded when it was asked for, if so."""
        return next((result for (_, asked), result in self._results.items() if asked == name and isinstance(result, PluginError)), None)

    def unknown(self, role: str, name: str, path: str) -> Mistake | None:
        """The mistake that ``path`` names a plugin that is not installed for ``role``, or None if it is."""
        known = self.names(role)
        if name in known:
            return None
        others = [other for other in ROLES if name in self.names(other)]
        problem = f"{name!r} is a {others[0]} plugin" if others else f"no {role} plugin {name!r} is installed"
        return Mistake(path, problem, _installed(name, known))

    def unknown_table(self, name: str, path: str) -> Mistake | None:
        """The mistake that a table is for a plugin that is not installed, or None if it is."""
        known = self.all_names()
        return None if name in known else Mistake(path, f"no plugin {name!r} is installed", _installed(name, known))

    def observers(self, given: Iterable[Any] = ()) -> tuple[PluginError, ...]:
        """Import and bind all observers: the installed ones, then ``given``. Returns the failures."""
        names = list(dict.fromkeys(item.name for item in self.installed if item.group == OBSERVER_GROUP))
        own: Mapping[str, Any] = {f"{type(observer).__qualname__} {index}": observer for index, observer in enumerate(given, 1)}
        passed = [item for item in installed({OBSERVER_GROUP: own}, groups=[OBSERVER_GROUP]) if item.name in own]
        results = (
            *import_plugins(self.installed, OBSERVER_GROUP, names),
            *import_plugins(passed, OBSERVER_GROUP, list(own)),
        )
        return tuple(problem for result in results if (problem := self._observer_problem(result)))

    def _observer_problem(self, imported: Imported | PluginError) -> PluginError | None:
        if isinstance(imported, PluginError):
            return imported
        try:
            self.binder.register(imported)
        except PluginError as error:
            return error
        return None


def _installed(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"installed: {', '.join(known) or 'none'}"
