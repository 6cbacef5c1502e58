"""From the sources to one checked `Config`, or to every mistake at once."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from hallway.config.converter import nearest, structure
from hallway.config.keys import Keys
from hallway.config.kinds import shown
from hallway.config.schema import ChannelConfig, Config, DiscoveryConfig, NamedDeviceConfig, SignalingConfig
from hallway.config.slips import in_file_order, mend
from hallway.config.sources import MAX_DEPTH, Assignment, from_environment, from_overrides, is_too_deep, merged, read_file
from hallway.errors import ConfigError, Mistake
from hallway.plugins.catalog import Catalog
from hallway.plugins.loader import Extra

logger = logging.getLogger(__name__)

_NO_STATE = Mistake(
    "trust.state",
    "is missing: security is sealed, for which a device must be enrolled",
    "name the folder that `hallway init` or `hallway join` made: --state DIR, in Python trust_state=DIR; "
    'or say security = "open": whoever reaches this network may join',
)

_CHAINS: Mapping[str, type[DiscoveryConfig | SignalingConfig | ChannelConfig]] = {
    "discovery": DiscoveryConfig,
    "signaling": SignalingConfig,
    "channel": ChannelConfig,
}


def load_config(
    path: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    overrides: Iterable[str] = (),
    extra: Extra | None = None,
) -> Config:
    """Read a configuration.

    Args:
        path: a TOML file; None: only the other sources.
        environ: its ``HALLWAY_…`` variables beat the file: ``HALLWAY_PLUGINS__HTTP_LOCAL__PORT`` is ``plugins.http-local.port``.
        overrides: ``key=value`` texts, which beat both. Values, as those of variables, are in TOML syntax or else text.
        extra: plugins that are not installed: group → name → module.

    Raises:
        ConfigError: with every mistake that was found.

    """
    catalog = Catalog(extra)
    keys = Keys(catalog)
    sources = [from_environment(environ, keys), from_overrides(overrides, keys)]
    mistakes = [mistake for source in sources for mistake in source.mistakes]
    assignments = [item for source in sources for item in source.items]
    try:
        raw = read_file(path) if path is not None else {}
    except ConfigError as error:
        # What the file would have said is unknown: no point in looking for what is missing.
        raise ConfigError([*error.mistakes, *mistakes]) from error
    try:
        config = _checked(merged(raw, assignments), catalog)
    except ConfigError as error:
        raise ConfigError([*mistakes, *(_blamed(mistake, assignments) for mistake in error.mistakes)]) from error
    if mistakes:
        raise ConfigError(mistakes)
    return config


def config_from_mapping(raw: Mapping[str, Any], *, extra: Extra | None = None) -> Config:
    """Check a configuration that is already in Python's hands, in the shape of the TOML file; ``raw`` is left as it is.

    Raises:
        ConfigError: with every mistake that was found.

    """
    return _checked(dict(raw), Catalog(extra))


def config_from_arguments(
    device_id: str | None = None,
    property_id: str | None = None,
    device_type: str = "device",
    *,
    security: str | None = None,
    trust_state: str | os.PathLike[str] | None = None,
    local_signaling_port: int | None = None,
    prefer_local: bool = True,
    cloud_signaling_url: str | None = None,
    ice_servers: Sequence[Mapping[str, Any]] | None = None,
    discovery: Sequence[str] | None = None,
    signaling: Sequence[str] | None = None,
    channel: Sequence[str] | None = None,
    interfaces: Sequence[str] | None = None,
    deny: Sequence[str] | None = None,
    store: str | None = None,
    plugins: Mapping[str, Mapping[str, Any]] | None = None,
    extra: Extra | None = None,
) -> Config:
    """The configuration that `hallway.create_peer` makes of its arguments. Files and environment play no part.

    Args:
        device_id: as ``device.id``; a sealed device has it by its enrolment.
        property_id: as ``device.property``; likewise.
        device_type: as ``device.type``.
        security: as ``security``: ``sealed`` if it is not given.
        trust_state: as ``trust.state``: the folder of the enrolment, which sealed security needs.
        local_signaling_port: as ``plugins.http-local.port``.
        prefer_local: whether a cloud comes after the local signaling, or before it.
        cloud_signaling_url: as ``plugins.cloud-ws.url``; puts ``cloud-ws`` into the signaling chain unless it is there.
        ice_servers: as ``plugins.aiortc.ice_servers``.
        discovery: as ``discovery.chain``, and so ``signaling`` and ``channel``.
        interfaces: as ``network.interfaces``.
        deny: as ``network.deny``.
        store: as ``delivery.store``.
        plugins: tables of plugins, by name; the arguments above beat them.
        extra: plugins that are not installed: group → name → module.

    Raises:
        ConfigError: with every mistake that was found.

    """
    given = {
        ("security",): security,
        ("trust", "state"): None if trust_state is None else os.fspath(trust_state),
        ("device", "id"): device_id,
        ("device", "property"): property_id,
        ("device", "type"): device_type,
        ("discovery", "chain"): discovery,
        ("signaling", "chain"): _with_cloud(signaling, prefer_local) if cloud_signaling_url is not None else signaling,
        ("channel", "chain"): channel,
        ("network", "interfaces"): interfaces,
        ("network", "deny"): deny,
        ("delivery", "store"): store,
        ("plugins", "http-local", "port"): local_signaling_port,
        ("plugins", "cloud-ws", "url"): cloud_signaling_url,
        ("plugins", "aiortc", "ice_servers"): ice_servers,
    }
    assignments = [Assignment(path, value, "") for path, value in given.items() if value is not None]
    return _checked(merged({"plugins": dict(plugins or {})}, assignments), Catalog(extra))


def _with_cloud(signaling: Sequence[str] | None, prefer_local: bool) -> Sequence[str]:
    chain = SignalingConfig().chain if signaling is None else tuple(signaling)
    if "cloud-ws" in chain:
        return chain
    return (*chain, "cloud-ws") if prefer_local else ("cloud-ws", *chain)


def _checked(raw: dict[str, Any], catalog: Catalog) -> Config:
    if is_too_deep(raw):
        raise ConfigError([Mistake("the configuration", f"is nested deeper than {MAX_DEPTH} levels")])
    core = dict(raw)
    mistakes = mend(core, catalog)
    tables = core.pop("plugins", {})
    chains = {role: _chain(role, core) for role in _CHAINS}
    mistakes += _unknown_plugins(chains, catalog)
    config: Config | None = None
    try:
        config = structure(Config, core)
    except ConfigError as error:
        mistakes += error.mistakes
    mistakes = _with_names(core, config, mistakes)
    plugins = _plugins(tables, chains, catalog, mistakes)
    if config is None or mistakes:
        raise ConfigError(in_file_order(mistakes, raw))
    return attrs.evolve(config, plugins=plugins)


def _with_names(core: Mapping[str, Any], config: Config | None, mistakes: list[Mistake]) -> list[Mistake]:
    """The mistakes, with what is missing beside them: an open device needs its names, a sealed one the folder of its enrolment."""
    if core.get("security", "open" if _is_misspelt("security", core) else "sealed") != "open":
        lacks_state = config is not None and config.trust.state is None and config.security == "sealed"
        return [*mistakes, _NO_STATE] if lacks_state else mistakes
    if _is_misspelt("device", core):
        return mistakes
    try:
        structure(NamedDeviceConfig, core.get("device", {}), "device")
    except ConfigError as error:
        return [*(each for each in mistakes if not each.path.startswith("device")), *error.mistakes]
    return mistakes


def _is_misspelt(table: str, core: Mapping[str, Any]) -> bool:
    """Whether a key that is not there is there under another name."""
    known = [field.name for field in attrs.fields(Config)]
    return any(name not in known and nearest(name, known) == table for name in core)


def _chain(role: str, raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The chain as far as it can be read; its own mistakes are found with the rest of the core's."""
    with contextlib.suppress(ConfigError):
        return structure(_CHAINS[role], raw.get(role, {})).chain
    return ()


def _unknown_plugins(chains: Mapping[str, tuple[str, ...]], catalog: Catalog) -> Iterable[Mistake]:
    for role, names in chains.items():
        for index, name in enumerate(names):
            if mistake := catalog.unknown(role, name, f"{role}.chain[{index}]"):
                yield mistake


def _plugins(tables: object, chains: Mapping[str, tuple[str, ...]], catalog: Catalog, mistakes: list[Mistake]) -> dict[str, Any]:
    if not isinstance(tables, Mapping):
        mistakes.append(Mistake("plugins", "must be a table", "such as [plugins.http-local]"))
        return {}
    structured: dict[str, Any] = {}
    for name in dict.fromkeys((*(name for names in chains.values() for name in names), *tables)):
        roles = [role for role, names in chains.items() if name in names]
        path = f"plugins.{shown(name)}"
        if not roles and (mistake := catalog.unknown_table(name, path)):
            mistakes.append(mistake)
        elif cls := catalog.config_class(name, roles or tuple(_CHAINS)):
            try:
                structured[name] = structure(cls, tables.get(name, {}), path)
            except ConfigError as error:
                mistakes.extend(error.mistakes)
        elif not roles:
            # What a chain names is reported when it is loaded; this is never loaded.
            logger.warning("[%s] cannot be checked: %s", path, catalog.failure(name))
    return structured


def _blamed(mistake: Mistake, assignments: Iterable[Assignment]) -> Mistake:
    """Say which variable or option set the key that is wrong: it is not to be found in the file."""
    for assignment in reversed(tuple(assignments)):
        dotted = ".".join(map(shown, assignment.path))
        if mistake.path == dotted or mistake.path.startswith((f"{dotted}.", f"{dotted}[")):
            return attrs.evolve(mistake, problem=f"{mistake.problem}, as set by {assignment.origin}")
    return mistake
