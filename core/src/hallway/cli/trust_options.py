"""What the commands about the property share: the state folder, names, and passphrases that nobody else sees."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from hallway.cli.options import is_at_terminal
from hallway.model import is_device_id, is_name

F = TypeVar("F", bound=Callable[..., Any])

RECOVERY = "recovery.json"
"""The recovery file's name in the state folder, where it lies until somebody puts it away."""


def state_option(command: F) -> F:
    """Add ``--state`` and ``--config``, of which one must be given (argument ``state``: the folder)."""

    @functools.wraps(command)
    def with_folder(*args: Any, state: Path | None, config_path: str | None, **rest: Any) -> Any:
        return command(*args, state=state or _configured(config_path), **rest)

    file = click.option("--config", "config_path", metavar="FILE", type=click.Path(), help="The device's TOML file, for its [trust].state.")
    folder = click.option(
        "--state",
        metavar="DIR",
        type=click.Path(path_type=Path),
        envvar="HALLWAY_TRUST__STATE",
        show_envvar=True,
        help="The folder with this device's keys and enrolment.",
    )
    return cast("F", folder(file(with_folder)))


def _configured(path: str | None) -> Path:
    if path is None:
        raise click.UsageError("Give --state DIR, the folder with this device's keys and enrolment, or --config FILE.")
    from hallway.config import load_config

    found = load_config(path).trust.state
    if found is None:
        raise click.UsageError(f"{path} names no [trust] state: add it there, or give --state DIR.")
    return found


def recovery_option(command: F) -> F:
    """Add ``--recovery`` (argument ``recovery``)."""
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option("--recovery", metavar="FILE", type=path, help=f"The recovery file.  [default: {RECOVERY} in the state folder]")(
        command
    )


def device_name(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Check a device's name on the command line."""
    if value is not None and not is_device_id(value):
        raise click.BadParameter("it must have 1 to 63 letters, digits and hyphens, with no hyphen at either end", param=option)
    return value


def property_name(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Check a property's name on the command line."""
    if value is not None and not is_name(value):
        raise click.BadParameter("it must have 1 to 128 printable characters", param=option)
    return value


def unlisted(value: str | None, what: str, is_cut_off: Callable[[str], bool] = lambda _: False) -> str | None:
    """``value``, and for "-" what somebody types or writes to stdin: every user of a machine can read its command lines.

    At a terminal, what ``is_cut_off`` goes on in the next line; an empty one ends it.
    """
    if value != "-":
        return value
    if is_at_terminal():
        text = str(click.prompt(what, err=True))
        while is_cut_off(text) and (rest := str(click.prompt("The rest of it", default="", show_default=False, err=True))):
            text += rest
        return text
    line = _line()
    if not line:
        raise click.UsageError(f"There is nothing on stdin: write the {what.lower()} to it.")
    return line


def new_passphrase() -> str | None:
    """The passphrase that somebody at the terminal chooses; None if they leave it to us, or nobody is there."""
    if not is_at_terminal():
        return None
    text = "Passphrase for the recovery file (press Enter to have one made up)"
    while chosen := str(click.prompt(text, default="", hide_input=True, show_default=False, err=True)).strip():
        if chosen == str(click.prompt("The same again", hide_input=True, err=True)).strip():
            return chosen
        click.echo("The two differ.", err=True)
    return None


def _line() -> str:
    """The first line of stdin, which a service may have closed."""
    return sys.stdin.readline().strip() if sys.stdin is not None else ""


def known_passphrase() -> str:
    """The passphrase of a recovery file, from the terminal or else from the first line of stdin."""
    if is_at_terminal():
        return str(click.prompt("Passphrase of the recovery file", hide_input=True, err=True))
    line = _line()
    if not line:
        raise click.UsageError("There is no terminal to ask at: write the passphrase of the recovery file to stdin.")
    return line
