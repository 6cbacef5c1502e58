"""``hallway config check``: every mistake at once, or what a device would use."""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import click
import ifaddr

from hallway.cli.options import config_options, json_option, log_level_option
from hallway.cli.toml import dotted, key_text
from hallway.cli.trial import try_chains
from hallway.config import Config, load_config, plain
from hallway.config.schema import NetworkConfig
from hallway.errors import PluginError
from hallway.plugins.manager import Registry, load_plugins
from hallway.plugins.roles import ROLES


@click.command()
@config_options
@json_option
@log_level_option
def check(config_path: str | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Find every mistake in a configuration, or show what a device would use.

    The file is overlaid with HALLWAY_... variables (plugins.http-local.port is HALLWAY_PLUGINS__HTTP_LOCAL__PORT) and then with --set. What
    is printed is TOML again, with all defaults filled in, secrets covered, and as comments the keys that are absent. The plugins of the
    chains are made and not started.

    \b
    Example:
      hallway config check --config tablet-1.toml --set plugins.http-local.port=8091

    Exit status: 2 if there is a mistake, 1 if a plugin that is named does not work, else 0.
    """
    config = load_config(config_path, overrides=overrides)
    registry = load_plugins(config)
    problems = [*registry.problems, *try_chains(registry, config)]
    warning = no_interface(config.network)
    if as_json:
        click.echo(json.dumps(_as_json(config, registry, problems, warning), ensure_ascii=False))
    else:
        click.echo("\n".join(_as_text(config, registry, problems)))
    if warning:
        click.echo(f"warning: {warning}", err=True)
    for problem in problems:
        click.echo(f"hallway: {problem}", err=True)
        if problem.hint:
            click.echo(f"hint: {problem.hint}", err=True)
    sys.exit(1 if problems else 0)


def no_interface(network: NetworkConfig) -> str:
    """A warning that nothing of this machine may be used, or ""; it may be right where interfaces come and go."""
    if network.policy().addresses():
        return ""
    here = sorted({adapter.name for adapter in ifaddr.get_adapters()})
    denied = [glob for glob in network.deny if fnmatch.filter(here, glob)]
    facts = {"interfaces here": here, "allowed": network.interfaces, "denied": denied}
    return "no interface of this machine may be used; " + "; ".join(
        f"{what}: {', '.join(names) or 'none'}" for what, names in facts.items()
    )


def _as_json(config: Config, registry: Registry, problems: Sequence[PluginError], warning: str) -> dict[str, Any]:
    return {
        "ok": not problems,
        "config": plain(config),
        "absent": [key for key, _ in _absent(config)],
        "plugins": [
            {"role": role, "name": loaded.name, "distribution": loaded.distribution, "version": loaded.version}
            for role in ROLES
            for loaded in getattr(registry, role)
        ],
        "unused": _unused(config),
        "skipped": [attrs.asdict(skipped) for skipped in registry.skipped],
        "warnings": [warning] if warning else [],
        "problems": [_problem(problem) for problem in problems],
    }


def _problem(problem: PluginError) -> Mapping[str, str]:
    return {"plugin": problem.plugin, "distribution": problem.distribution, "problem": problem.problem, "hint": problem.hint}


def _unused(config: Config) -> list[str]:
    used = {name for role in ROLES for name in config.chain(role)}
    return [name for name in config.plugins if name not in used]


def _absent(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The keys without a value, each with what it is for."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _absent(inner, f"{path}{key_text(name)}.")
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            inner = getattr(value, field.name)
            if inner is None:
                yield f"{path}{key_text(field.name)}", field.metadata.get("help", "")
            yield from _absent(inner, f"{path}{key_text(field.name)}.")


def _as_text(config: Config, registry: Registry, problems: Sequence[PluginError]) -> Iterator[str]:
    yield "# ok" if not problems else "# no mistakes, but not every plugin works"
    for role in ROLES:
        for loaded in getattr(registry, role):
            yield f"# {role}: {loaded.name} ({f'{loaded.distribution} {loaded.version}'.strip()})"
    yield from (f"# {each.role}: {each.name} is skipped, {each.reason}" for each in registry.skipped)
    yield from (f"# [plugins.{name}] is checked and unused" for name in _unused(config))
    yield from dotted(plain(config))
    yield from (f"# {key} is not set: {text}" for key, text in _absent(config))
