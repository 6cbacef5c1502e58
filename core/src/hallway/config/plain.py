"""A configuration as plain values, for printing: secrets are covered, keys without a value left out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import attrs

COVERED = "***"


def plain(value: Any) -> Any:
    """``value`` in the types of TOML, whatever config classes it is made of."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if attrs.has(type(value)):
        return {field.name: inner for field in attrs.fields(type(value)) if (inner := _field(value, field)) is not None}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _field(owner: Any, field: attrs.Attribute[Any]) -> Any:
    value = getattr(owner, field.name)
    return COVERED if value is not None and field.metadata.get("secret") else plain(value)
