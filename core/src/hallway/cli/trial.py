"""Makes plugins without starting them: only that shows whether the libraries are there that their factories import."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hallway.config import Config
from hallway.config.converter import structure
from hallway.config.options import missing_to_use
from hallway.errors import ConfigError, HallwayError, PluginError
from hallway.model import DeviceInfo
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway.plugins.catalog import Catalog, Provided
from hallway.plugins.manager import Loaded, Registry
from hallway.plugins.observers import Observers
from hallway.plugins.roles import ROLES

Outcomes = Mapping[tuple[str, str], PluginError | None]
"""By role and name: why a plugin cannot be made, or None."""


def try_chains(registry: Registry, config: Config) -> list[PluginError]:
    """Make every plugin of the chains; returns why some cannot be made."""
    chains = {(role, loaded.name): loaded for role in ROLES for loaded in getattr(registry, role)}
    return [problem for problem in asyncio.run(_make_all(registry, chains, _context(config))).values() if problem]


def try_installed(config: Config | None) -> Outcomes:
    """Make every installed plugin, with its table of ``config`` or its defaults; those that need more than that are left out."""
    catalog = Catalog()
    registry = Registry((), (), (), (), Observers(catalog.binder.manager))
    found = {(role, name): catalog.provide(role, name) for role in ROLES for name in catalog.names(role)}
    ready = {key: loaded for key, provided in found.items() if isinstance(provided, Provided) and (loaded := _loaded(provided, config))}
    return asyncio.run(_make_all(registry, ready, _context(config)))


def _loaded(provided: Provided[Any], config: Config | None) -> Loaded[Any] | None:
    provider, installed = provided.provider, provided.installed
    try:
        own = config.plugins.get(provider.name) if config else None
        own = structure(provider.config_class, {}) if own is None else own
    except ConfigError:
        return None
    return None if missing_to_use(own) else Loaded(provider, own, installed.distribution, installed.version)


def _context(config: Config | None) -> PluginContext:
    if config is None:
        return PluginContext(DeviceInfo("trial", "trial", "device", "0"), InterfacePolicy(), Resolver())
    device = config.device
    return PluginContext(
        DeviceInfo(device.id or "trial", device.property or "trial", device.type, "0"), config.network.policy(), Resolver()
    )


async def _make_all(registry: Registry, plugins: Mapping[tuple[str, str], Loaded[Any]], context: PluginContext) -> Outcomes:
    return {key: await _make(registry, loaded, context) for key, loaded in plugins.items()}


async def _make(registry: Registry, loaded: Loaded[Any], context: PluginContext) -> PluginError | None:
    try:
        made = registry.make(loaded, context)
    except PluginError as problem:
        return problem
    except HallwayError as error:
        owner = f"{loaded.distribution} {loaded.version}".strip()
        return PluginError(loaded.name, f"it cannot be made: {error}", distribution=owner, hint=error.hint)
    await made.aclose()
    return None
