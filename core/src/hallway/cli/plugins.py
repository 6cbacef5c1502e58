"""``hallway plugins``: what is installed and whether it works."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from hallway.cli.options import config_options, json_option, log_level_option
from hallway.cli.trial import Outcomes, try_installed
from hallway.config import Config, load_config
from hallway.plugins.manager import Inspected, Skipped, inspect_plugins, load_plugins
from hallway.plugins.roles import COMMAND_GROUP, ROLES

COLUMNS = ("role", "name", "distribution", "version", "state", "chain")


@click.command()
@config_options
@json_option
@log_level_option
def plugins(config_path: str | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """List the installed plugins and whether they work.

    Each plugin is made and not started: one whose libraries are missing is "broken". "found" is one that cannot be made without a
    configuration. With --config, the column "chain" says at which place a chain of that configuration names the plugin, and one that the
    configuration does not give what it needs is "skipped".

    \b
    Example:
      hallway plugins
      hallway plugins --config tablet-1.toml

    Exit status: 0, also if a plugin is broken; 2 if there is a mistake in the configuration.
    """
    config = load_config(config_path, overrides=overrides) if config_path or overrides else None
    skipped = {(each.role, each.name): each for each in load_plugins(config).skipped} if config else {}
    outcomes = try_installed(config)
    rows = [_row(inspected, config, skipped, outcomes) for inspected in inspect_plugins()]
    click.echo(json.dumps(rows, ensure_ascii=False) if as_json else "\n".join(_table(rows)))


def _row(inspected: Inspected, config: Config | None, skipped: Mapping[tuple[str, str], Skipped], outcomes: Outcomes) -> dict[str, Any]:
    item = inspected.installed
    role = "command" if item.group == COMMAND_GROUP else item.group.removeprefix("hallway.")
    key = (role, item.name)
    problem = inspected.problem or outcomes.get(key)
    chain = config.chain(role) if config and role in ROLES else ()
    left_out = skipped.get(key)
    untried = "not loaded" if role == "command" else "found" if role in ROLES and key not in outcomes else "ok"
    state = "broken" if problem else "skipped" if left_out else untried
    return {
        "role": role,
        "name": item.name,
        "distribution": item.distribution,
        "version": item.version,
        "state": state,
        "chain": chain.index(item.name) + 1 if item.name in chain else None,
        "problem": problem.problem if problem else left_out.reason if left_out else None,
        "hint": problem.hint if problem else None,
    }


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    cells = [COLUMNS, *(tuple(str(row[column] or "-") for column in COLUMNS) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for index, line in enumerate(cells):
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        if index and (problem := rows[index - 1]["problem"]):
            yield f"    {problem}"
            if hint := rows[index - 1]["hint"]:
                yield f"    hint: {hint}"
