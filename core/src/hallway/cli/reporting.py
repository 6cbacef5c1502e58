"""How the command tells of an error: a message and a hint for people, a line of JSON for programs, and the exit status."""

from __future__ import annotations

import json
import logging
from typing import Any

import attrs
import click

from hallway.cli.options import JSON, LOGGED
from hallway.errors import ConfigError, HallwayError

logger = logging.getLogger(__name__)


def report(ctx: click.Context, error: HallwayError) -> int:
    """Print ``error``, as JSON or in words, and return the exit status: 2 for a `ConfigError`, else 1."""
    if ctx.meta.get(JSON):
        click.echo(json.dumps(error_event(error), ensure_ascii=False))
        if ctx.meta.get(LOGGED):
            logger.error("%s%s", error, f"; {error.hint}" if error.hint else "")
    else:
        click.echo(f"hallway: {error}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
    return 2 if isinstance(error, ConfigError) else 1


def error_event(error: HallwayError) -> dict[str, Any]:
    """The event ``error``; for a `ConfigError` with every mistake."""
    event: dict[str, Any] = {"event": "error", "code": error.code, "message": str(error), "hint": error.hint}
    if isinstance(error, ConfigError):
        event["mistakes"] = [attrs.asdict(mistake) for mistake in error.mistakes]
    return event
