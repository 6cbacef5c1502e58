"""``hallway config check``: every mistake at once, or what a device would use."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from hallway.cli.options import config_options, json_option, log_level_option
from hallway.cli.toml import dotted
from hallway.config import Config, load_config, plain
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
    is printed is TOML again, with all defaults filled in and secrets covered.

    \b
    Example:
      hallway config check --config tablet-1.toml --set plugins.http-local.port=8091

    Exit status: 2 if there is a mistake, 1 if a plugin that is named does not work, else 0.
    """
    config = load_config(config_path, overrides=overrides)
    registry = load_plugins(config)
    click.echo(json.dumps(_as_json(config, registry), ensure_ascii=False) if as_json else "\n".join(_as_text(config, registry)))
    for problem in registry.problems:
        click.echo(f"hallway: {problem}", err=True)
        if problem.hint:
            click.echo(f"hint: {problem.hint}", err=True)
    sys.exit(1 if registry.problems else 0)


def _as_json(config: Config, registry: Registry) -> dict[str, Any]:
    return {
        "ok": not registry.problems,
        "config": plain(config),
        "plugins": [
            {"role": role, "name": loaded.name, "distribution": loaded.distribution, "version": loaded.version}
            for role in ROLES
            for loaded in getattr(registry, role)
        ],
        "unused": _unused(config),
        "problems": [_problem(problem) for problem in registry.problems],
    }


def _problem(problem: PluginError) -> Mapping[str, str]:
    return {"plugin": problem.plugin, "distribution": problem.distribution, "problem": problem.problem, "hint": problem.hint}


def _unused(config: Config) -> list[str]:
    used = {name for role in ROLES for name in config.chain(role)}
    return [name for name in config.plugins if name not in used]


def _as_text(config: Config, registry: Registry) -> Iterator[str]:
    yield "# ok" if not registry.problems else "# no mistakes, but not every plugin works"
    for role in ROLES:
        for loaded in getattr(registry, role):
            yield f"# {role}: {loaded.name} ({f'{loaded.distribution} {loaded.version}'.strip()})"
    yield from (f"# [plugins.{name}] is checked and unused" for name in _unused(config))
    yield from dotted(plain(config))
