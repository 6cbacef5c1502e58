"""How a config class describes its keys: the help text becomes the schema, the reference and the error messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

Check = Callable[[Any], str | Mapping[Any, str] | None]
"""Returns what is wrong with a value of the right type, as a clause, or None. Of a table or a list it may return a clause for each wrong
entry, by its key or index: each becomes a mistake with a path of its own. Its ``schema``, if any, adds JSON Schema keywords."""


def option(
    *,
    help: str,  # noqa: A002 - the word that argparse, click and typer users know
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    check: Check | None = None,
    secret: bool = False,
    needed_to_use: bool = False,
) -> Any:
    """A field of a frozen attrs config class.

    Types are ``str``, ``int``, ``float``, ``bool``, ``Path``, ``Literal``, an `Enum` by its values, further attrs classes, and tuples,
    mappings and unions of these; ``X | None`` is for a key that may be absent.

    Args:
        help: one sentence with the unit, for the schema and the reference.
        default: the value when the key is absent; without it the key is required.
        factory: makes the default instead.
        check: returns what is wrong with a value of the right type, as a clause ("must be 1 to 65535"), or None; of a table or a list also
            such a clause for each wrong entry, by its key or index.
        secret: the value is never printed.
        needed_to_use: a plugin whose key is None is skipped with a notice, and the rest of its chain goes on; the default must be None.

    """
    metadata = {"help": help, "check": check, "secret": secret, "needed_to_use": needed_to_use}
    if factory is not None:
        return attrs.field(factory=factory, metadata=metadata, repr=not secret)
    return attrs.field(default=default, metadata=metadata, repr=not secret)


def missing_to_use(config: Any) -> tuple[str, ...]:
    """The keys that a config object lacks to be of use (``needed_to_use``)."""
    return tuple(
        field.name for field in attrs.fields(type(config)) if field.metadata.get("needed_to_use") and getattr(config, field.name) is None
    )


@attrs.frozen
class _Between:
    low: float
    high: float

    def __call__(self, value: Any) -> str | None:
        return None if self.low <= value <= self.high else f"must be {self.low} to {self.high}"

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"minimum": self.low, "maximum": self.high}


def between(low: float, high: float) -> Check:
    """A check that a number lies in ``low`` to ``high``, both included."""
    return _Between(low, high)
