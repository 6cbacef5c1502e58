"""A click group whose commands are imported only when they are called: ``--help`` must be fast on a small machine."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, NamedTuple

import click


class Lazy(NamedTuple):
    """Where a command is (``module:attribute``) and what ``--help`` says of it."""

    target: str
    help: str


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        texts = {name: self._lazy[name].help if name in self._lazy else "(from a plugin)" for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl(list(texts.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of hallway ends the process with a message, not a traceback."""
        from hallway.errors import HallwayError

        try:
            return super().invoke(ctx)
        except HallwayError as error:
            from hallway.cli.reporting import report

            ctx.exit(report(ctx, error))

    def _external_names(self) -> list[str]:
        if not self._external:
            return []
        return sorted({entry_point.name for entry_point in entry_points(group="hallway.commands")} - set(self._lazy))


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
