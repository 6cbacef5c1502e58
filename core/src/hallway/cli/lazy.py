"""A click group whose commands are imported only when they are called: ``--help`` must be fast on a small machine."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, NamedTuple

import click


class Lazy(NamedTuple):
    """Where a command is (``module:attribute``), what ``--help`` says of it, and under which heading."""

    target: str
    help: str
    section: str = "Commands"


class LazyGroup(click.Group):
    """A group of `Lazy` commands and, if ``external``, those of the entry-point group ``hallway.commands``."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], external: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy
        self._external = external

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, built-in ones first."""
        return [*super().list_commands(ctx), *sorted(self._lazy), *self._external_names()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; a built-in one hides an external one of its name."""
        if cmd_name in self._lazy:
            module, _, attribute = self._lazy[cmd_name].target.partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        if cmd_name in self._external_names():
            return _external_command(cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a name that is none is told with the one that it is nearest to."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them, each section in the order in which they were given."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, lazy in self._lazy.items():
            sections.setdefault(lazy.section, []).append((name, lazy.help))
        external = [(name, f"(from {distribution})") for name, distribution in self._external_names().items()]
        if external:
            sections["From plugins"] = external
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of hallway ends the process with a message, not a traceback."""
        from hallway.errors import HallwayError

        try:
            return super().invoke(ctx)
        except HallwayError as error:
            from hallway.cli.reporting import report

            ctx.exit(report(ctx, error))

    def _external_names(self) -> dict[str, str]:
        """The commands of plugins, each with its distribution."""
        found = entry_points(group="hallway.commands") if self._external else ()
        return {
            each.name: each.dist.name if each.dist else "a plugin"
            for each in sorted(found, key=lambda each: each.name)
            if each.name not in self._lazy
        }


def _external_command(name: str) -> click.Command:
    from hallway.errors import PluginError
    from hallway.plugins.loader import import_plugins, installed
    from hallway.plugins.roles import COMMAND_GROUP

    (result,) = import_plugins(installed(groups=[COMMAND_GROUP]), COMMAND_GROUP, [name])
    if isinstance(result, PluginError):
        raise result
    if not isinstance(result.module, click.Command):
        raise result.installed.error("its entry point names no click command", hint="write it as module:function")
    return result.module
