"""``hallway config schema``: for editors and for tools that write configurations."""

from __future__ import annotations

import json

import click

from hallway.config import json_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of a configuration, installed plugins included.

    \b
    Example:
      hallway config schema > hallway.schema.json

    Exit status: 0.
    """
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
