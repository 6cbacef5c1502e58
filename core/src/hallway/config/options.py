"""How a config class describes its keys: the help text becomes the schema, the reference and the error messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs


def option(
    *,
    help: str,  # noqa: A002 - the word that argparse, click and typer users know
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    check: Callable[[Any], str | None] | None = None,
    secret: bool = False,
) -> Any:
    """A field of a frozen attrs config class.

    Args:
        help: one sentence with the unit, for the schema and the reference.
        default: the value when the key is absent; without it the key is required.
        factory: makes the default instead.
        check: returns what is wrong with a value of the right type, as a clause ("must be 1 to 65535"), or None.
        secret: the value is never printed.

    """
    metadata = {"help": help, "check": check, "secret": secret}
    if factory is not None:
        return attrs.field(factory=factory, metadata=metadata, repr=not secret)
    return attrs.field(default=default, metadata=metadata, repr=not secret)


def between(low: float, high: float) -> Callable[[Any], str | None]:
    """A check that a number lies in ``low`` to ``high``, both included."""

    def check(value: Any) -> str | None:
        return None if low <= value <= high else f"must be {low} to {high}"

    return check
