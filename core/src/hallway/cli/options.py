"""The options that several commands share."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from hallway.logs import RepeatFilter

F = TypeVar("F", bound=Callable[..., Any])

JSON = "hallway.json"
"""Key in `click.Context.meta`: whether this run speaks JSON."""
LOG_LEVEL = "hallway.log-level"
"""Key in `click.Context.meta`: the log level, if it was asked for."""
LOGGED = "hallway.logged"
"""Key in `click.Context.meta`: whether an error goes to the log beside JSON, since others read that than what reads stdout."""
STATE = "hallway.state"
"""Key in `click.Context.meta`: the folder of the enrolment, if it was named."""
LIBRARIES = ("aioice", "aiortc", "aiohttp", "zeroconf", "asyncio")
LEVELS = ("debug", "info", "warning", "error")


def is_at_terminal() -> bool:
    """Whether somebody can be asked: stdin is a terminal. A service may have it closed, and then there is none at all."""
    return sys.stdin is not None and sys.stdin.isatty()


def config_options(command: F) -> F:
    """Add ``--config`` (argument ``config_path``), ``--set`` (argument ``overrides``) and ``--state``, for `hallway.config.load_config`."""

    def note(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        ctx.meta[STATE] = value

    def with_state(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
        state = ctx.meta[STATE]
        return value if state is None else (f"trust.state={json.dumps(state, ensure_ascii=False)}", *value)

    override = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        callback=with_state,
        help="Set one key, such as plugins.http-local.port=8091; beats environment and file. May be given again.",
    )
    state = click.option(
        "--state",
        metavar="DIR",
        type=click.Path(),
        is_eager=True,
        expose_value=False,
        callback=note,
        help="The folder that `hallway init` or `hallway join` made; short for --set trust.state=DIR.",
    )
    path = click.option("--config", "config_path", metavar="FILE", type=click.Path(), help="The device's TOML file.")
    return path(state(override(command)))


def json_option(command: F) -> F:
    """Add ``--json`` (argument ``as_json``). With it, an error is a line of JSON on stdout, and nothing on stderr."""

    def note(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        ctx.meta[JSON] = value
        return value

    return click.option("--json", "as_json", is_flag=True, is_eager=True, callback=note, help="Print JSON, for programs.")(command)


def log_level_option(command: F) -> F:
    """Add ``--log-level`` (or the variable ``HALLWAY_LOG``); it sets up logging to stderr and passes no argument."""

    def set_up(ctx: click.Context, option: click.Parameter, value: str) -> None:
        if option.name and ctx.get_parameter_source(option.name) is not ParameterSource.DEFAULT:
            ctx.meta[LOG_LEVEL] = value
        # What the libraries tell below a warning helps only who debugs them.
        for library in LIBRARIES if value != "debug" else ():
            logging.getLogger(library).setLevel(logging.WARNING)
        handler = logging.StreamHandler(sys.stderr)
        handler.addFilter(RepeatFilter())
        logging.basicConfig(handlers=[handler], level=value.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    return click.option(
        "--log-level",
        type=click.Choice(LEVELS, case_sensitive=False),
        envvar="HALLWAY_LOG",
        default="warning",
        show_default=True,
        show_envvar=True,
        expose_value=False,
        callback=set_up,
        help="What to log, on stderr.",
    )(command)
