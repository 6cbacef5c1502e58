"""pluggy binds: hooks against their specifications, and the records that they return against their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import Any

import attrs
import pluggy

from hallway import hookspecs
from hallway.errors import PluginError
from hallway.model import IcePolicy, Mode
from hallway.plugins.loader import Imported, Installed
from hallway.plugins.providers import Provider, SignalingProvider
from hallway.plugins.roles import Role

PROJECT = "hallway"


class Binder:
    """One device's hooks: a pluggy manager that takes a plugin whole or not at all."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self._specified = tuple(name for name in vars(self.manager.hook) if not name.startswith("_"))

    def register(self, imported: Imported) -> None:
        """Bind every hook of a module; a module that is bound already is left as it is.

        Raises:
            PluginError: a hook is not one of ours, takes other arguments, or is a wrapper. None of the plugin's hooks is bound then.

        """
        installed, module = imported.installed, imported.module
        if module is None:
            raise installed.error("its entry point names nothing that has hooks")
        if any(plugin is module for _, plugin in self.manager.list_name_plugin()):
            return
        try:
            self.manager.register(module, name=f"{installed.group}:{installed.name}")
            self.manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise self._misfit(installed, module, error) from error
        except ValueError as error:
            raise installed.error("it is equal to an object that is registered already", hint="let it compare by identity") from error
        if any(impl.wrapper or impl.hookwrapper for impl in self._implementations(module)):
            self.manager.unregister(module)
            raise installed.error(
                "it wraps hooks of others", hint="hallway calls each plugin's hooks apart: implement them without wrapper=True"
            )

    def _misfit(self, installed: Installed, module: Any, error: Exception) -> PluginError:
        unknown = [caller.name for caller in self.manager.get_hookcallers(module) or () if not caller.has_spec()]
        if self.manager.is_registered(module):
            self.manager.unregister(module)
        if not unknown:
            return installed.error(" ".join(str(error).split()), hint="compare its arguments with hallway.hookspecs")
        return installed.error(f"hallway has no hook {unknown[0]!r}", hint=_nearest_hook(unknown[0], self._specified))

    def _implementations(self, module: Any) -> list[pluggy.HookImpl]:
        callers = self.manager.get_hookcallers(module) or ()
        return [impl for caller in callers for impl in caller.get_hookimpls() if impl.plugin is module]

    def provider(self, role: Role[Any], imported: Imported) -> Provider:
        """The record that a bound plugin offers for ``role`` under the name of its entry point.

        Raises:
            PluginError: it offers none, two, or one that is not as it must be.

        """
        installed = imported.installed
        records: list[Provider] = self._records(role, imported)
        for record in records:
            _check_record(role, installed, record)
        names = [record.name for record in records]
        if (count := names.count(installed.name)) != 1:
            raise installed.error(_miscount(role, installed.name, names, count), hint=_unmarked(role, imported.module))
        return next(record for record in records if record.name == installed.name)

    def _records(self, role: Role[Any], imported: Imported) -> list[Any]:
        found: list[Any] = []
        for impl in getattr(self.manager.hook, role.hook).get_hookimpls():
            if impl.plugin is imported.module:
                found.extend(_offered(role, imported.installed, impl))
        return found


def call(impl: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
    """Call one implementation with those arguments that it takes, as pluggy does."""
    return impl.function(*(arguments[name] for name in impl.argnames))


def _nearest_hook(name: str, known: Iterable[str]) -> str:
    """A hint with the nearest hook, or with all of them. Every name has the same prefix, which must not count as likeness."""
    tails = {hook.removeprefix(f"{PROJECT}_"): hook for hook in known}
    near = get_close_matches(name.removeprefix(f"{PROJECT}_"), tails, n=1)
    return f"did you mean {tails[near[0]]}?" if near else f"known: {', '.join(known)}"


def _offered(role: Role[Any], installed: Installed, impl: pluggy.HookImpl) -> list[Any]:
    try:
        offered = call(impl, {})
        return list(offered)
    except Exception as error:
        raise installed.error(f"its hook {role.hook} failed: {type(error).__name__}: {error}") from error


def _check_record(role: Role[Any], installed: Installed, record: Any) -> None:
    if not isinstance(record, role.record):
        raise installed.error(f"its hook {role.hook} returned a {type(record).__name__}, not a {role.record.__name__}")
    if not (isinstance(record.config_class, type) and attrs.has(record.config_class)):
        raise installed.error(f"config_class of {record.name!r} is not an attrs class")
    try:
        attrs.resolve_types(record.config_class)
    except NameError as error:
        raise installed.error(f"config_class of {record.name!r} has an annotation that cannot be read: {error}") from error
    if not callable(record.factory):
        raise installed.error(f"factory of {record.name!r} cannot be called")
    if isinstance(record, SignalingProvider):
        _check_signaling(installed, record)


def _check_signaling(installed: Installed, record: Any) -> None:
    if not isinstance(record.mode, Mode) or record.mode is Mode.NONE or not isinstance(record.ice_policy, IcePolicy):
        raise installed.error(f"{record.name!r} must give mode Mode.LOCAL or Mode.CLOUD and an IcePolicy")
    if not isinstance(record.schemes, frozenset | set | tuple) or not all(isinstance(scheme, str) for scheme in record.schemes):
        raise installed.error(f"schemes of {record.name!r} must be a set of URL schemes")


def _miscount(role: Role[Any], wanted: str, names: list[str], count: int) -> str:
    if count:
        return f"its hook {role.hook} offers {wanted!r} {count} times"
    return f"it offers no {role.name} named {wanted!r}" + (f", only {', '.join(map(repr, names))}" if names else "")


def _unmarked(role: Role[Any], module: Any) -> str:
    if isinstance(module, ModuleType) and not hasattr(getattr(module, role.hook, None), f"{PROJECT}_impl"):
        return f"define {role.hook}() in {module.__name__} and mark it with @hallway.plugins.hookimpl"
    return ""
