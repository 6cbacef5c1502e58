"""From a checked configuration to the plugins of one device."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import attrs

from hallway.config.options import missing_to_use
from hallway.errors import ConfigError, HallwayError, Mistake, PluginError
from hallway.interfaces import Connector, Discovery, Signaling
from hallway.plugins.catalog import Catalog, Provided
from hallway.plugins.loader import Extra, Installed
from hallway.plugins.observers import Observers
from hallway.plugins.providers import ChannelProvider, DiscoveryProvider, PluginContext, Provider, SignalingProvider
from hallway.plugins.roles import ROLES

if TYPE_CHECKING:
    from hallway.config import Config

logger = logging.getLogger(__name__)

P_co = TypeVar("P_co", bound=Provider, covariant=True)


@attrs.frozen
class Loaded(Generic[P_co]):
    """A plugin of a chain, ready to be made: its record, its own config object and where it comes from."""

    provider: P_co
    config: Any
    distribution: str
    version: str

    @property
    def name(self) -> str:
        """The name in the chain."""
        return self.provider.name


@attrs.frozen
class Skipped:
    """A plugin of a chain that works but lacks a key that it needs to be of use; ``reason`` is a clause."""

    role: str
    name: str
    reason: str


@attrs.frozen
class Registry:
    """The plugins of one device: each chain in its order, what could not be loaded, what was left out, and the observers."""

    discovery: tuple[Loaded[DiscoveryProvider], ...]
    signaling: tuple[Loaded[SignalingProvider], ...]
    channel: tuple[Loaded[ChannelProvider], ...]
    problems: tuple[PluginError, ...]
    hook: Observers
    skipped: tuple[Skipped, ...] = ()

    @property
    def observes_messages(self) -> bool:
        """Whether some observer implements ``hallway_message_in`` or ``hallway_message_out``."""
        return self.hook.observes_messages

    @overload
    def make(self, loaded: Loaded[DiscoveryProvider], context: PluginContext) -> Discovery: ...
    @overload
    def make(self, loaded: Loaded[SignalingProvider], context: PluginContext) -> Signaling: ...
    @overload
    def make(self, loaded: Loaded[ChannelProvider], context: PluginContext) -> Connector: ...
    def make(self, loaded: Loaded[Any], context: PluginContext) -> Any:
        """Call a plugin's factory.

        Raises:
            PluginError: the factory failed (a library that is missing, say), or made something else than its role's interface.
            HallwayError: as the factory raised it.

        """
        role = next(role for role in ROLES.values() if isinstance(loaded.provider, role.record))
        owner = f"{loaded.distribution} {loaded.version}".strip()
        try:
            made = loaded.provider.factory(loaded.config, context)
        except HallwayError:
            raise
        except Exception as error:
            raise PluginError(loaded.name, f"its factory failed: {type(error).__name__}: {error}", distribution=owner) from error
        if not isinstance(made, role.interface):
            raise PluginError(loaded.name, f"its factory made a {type(made).__name__}, not a {role.interface.__name__}", distribution=owner)
        return made


def load_plugins(config: Config, *, observers: Iterable[object] = (), extra: Extra | None = None) -> Registry:
    """Load the plugins that the chains of ``config`` name, and every installed observer.

    A plugin that cannot be used is in `Registry.problems`, one that lacks a key marked ``needed_to_use`` is in `Registry.skipped`, and the
    rest of the chain goes on.

    Args:
        config: as `hallway.config.load_config` makes it.
        observers: further objects with observer hooks.
        extra: plugins that are not installed: group → name → module.

    Raises:
        ConfigError: a chain names a plugin that is not installed, or ``config.plugins`` lacks what one needs.

    """
    catalog = Catalog(extra)
    _check_names(config, catalog)
    problems: list[PluginError] = []
    skipped: list[Skipped] = []
    chains = {role: _chain(role, config, catalog, problems, skipped) for role in ROLES}
    problems.extend(catalog.observers(observers))
    return Registry(
        discovery=cast("tuple[Loaded[DiscoveryProvider], ...]", chains["discovery"]),
        signaling=cast("tuple[Loaded[SignalingProvider], ...]", chains["signaling"]),
        channel=cast("tuple[Loaded[ChannelProvider], ...]", chains["channel"]),
        problems=tuple(problems),
        hook=Observers(catalog.binder.manager),
        skipped=tuple(skipped),
    )


def _check_names(config: Config, catalog: Catalog) -> None:
    found = (catalog.unknown(role, name, f"{role}.chain[{index}]") for role in ROLES for index, name in enumerate(config.chain(role)))
    if mistakes := [mistake for mistake in found if mistake]:
        raise ConfigError(mistakes)


def _chain(
    role: str, config: Config, catalog: Catalog, problems: list[PluginError], skipped: list[Skipped]
) -> tuple[Loaded[Provider], ...]:
    loaded = []
    for name in config.chain(role):
        match catalog.provide(role, name):
            case PluginError() as problem:
                problems.append(problem)
            case Provided(installed, provider):
                own = _own_config(config, provider)
                if missing := missing_to_use(own):
                    skipped.append(_skip(role, name, missing))
                else:
                    loaded.append(Loaded(provider, own, installed.distribution, installed.version))
    return tuple(loaded)


def _skip(role: str, name: str, missing: tuple[str, ...]) -> Skipped:
    reason = f"{' and '.join(f'plugins.{name}.{key}' for key in missing)} is not set"
    logger.warning("%s plugin %s is skipped: %s", role, name, reason)
    return Skipped(role, name, reason)


def _own_config(config: Config, provider: Provider) -> object:
    own = config.plugins.get(provider.name)
    if isinstance(own, provider.config_class):
        return own
    if own is not None:
        raise ConfigError([Mistake(f"plugins.{provider.name}", f"must be a {provider.config_class.__name__}, not a {type(own).__name__}")])
    required = [field.name for field in attrs.fields(provider.config_class) if field.init and field.default is attrs.NOTHING]
    if required:
        raise ConfigError([Mistake(f"plugins.{provider.name}.{key}", "is missing") for key in required])
    return provider.config_class()


@attrs.frozen
class Inspected:
    """An installed plugin after an attempt to load it: ``problem`` is None if it can be used."""

    installed: Installed
    problem: PluginError | None


def inspect_plugins(extra: Extra | None = None) -> tuple[Inspected, ...]:
    """Load everything that is installed, but for commands, which are only listed, and say what came of it."""
    catalog = Catalog(extra)
    role_of = {role.group: role.name for role in ROLES.values()}
    observed: Sequence[PluginError] = catalog.observers()
    failed = {problem.plugin: problem for problem in observed}
    inspected = []
    for item in catalog.installed:
        if item.group in role_of:
            result = catalog.provide(role_of[item.group], item.name)
            inspected.append(Inspected(item, result if isinstance(result, PluginError) else None))
        else:
            inspected.append(Inspected(item, failed.get(item.name) if item.group.endswith(".observer") else None))
    return tuple(inspected)
