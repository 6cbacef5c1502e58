"""``hallway config``: what can be asked of a configuration."""

from __future__ import annotations

import click

from hallway.cli.lazy import Lazy, LazyGroup

COMMANDS = {
    "check": Lazy("hallway.cli.config_check:check", "Find every mistake, or show what a device would use."),
    "schema": Lazy("hallway.cli.config_schema:schema", "Print the JSON Schema, installed plugins included."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def config() -> None:
    """Check a configuration, or print its JSON Schema.

    \b
    Example:
      hallway config check --config tablet-1.toml
      hallway config schema > hallway.schema.json

    Exit status: 2 if the command line or the configuration is wrong, 1 if a plugin does not work, else 0.
    """
