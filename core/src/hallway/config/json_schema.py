"""JSON Schema (draft 2020-12) of the configuration, from its classes and those of the installed plugins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import attrs

from hallway.config import kinds
from hallway.config.schema import Config
from hallway.plugins.catalog import Catalog
from hallway.plugins.loader import Extra
from hallway.plugins.roles import ROLES

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: Mapping[Any, str] = {str: "string", Path: "string", int: "integer", float: "number", bool: "boolean"}


def json_schema(*, extra: Extra | None = None) -> dict[str, Any]:
    """The schema that a configuration file satisfies, after TOML was read.

    A plugin that cannot be loaded has a table without constraints.
    """
    catalog = Catalog(extra)
    schema = {"$schema": DRAFT, "title": "hallway configuration", **of_class(Config)}
    tables = {name: _table(catalog.config_class(name)) for name in catalog.all_names()}
    properties = schema["properties"]
    properties["plugins"] = {**_described(properties["plugins"]), "type": "object", "properties": tables, "additionalProperties": False}
    for role in ROLES:
        properties[role]["properties"]["chain"]["items"] = {"enum": list(catalog.names(role))}
    return schema


def _described(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": schema["description"]}


def _table(cls: type | None) -> dict[str, Any]:
    return {"type": "object"} if cls is None else of_class(cls)


def of_class(cls: type) -> dict[str, Any]:
    """The schema of one config class."""
    fields = [field for field in attrs.fields(attrs.resolve_types(cls)) if field.init]
    schema: dict[str, Any] = {
        "description": (cls.__doc__ or cls.__name__).strip().partition("\n")[0],
        "type": "object",
        "properties": {field.name: _of_field(field) for field in fields},
        "additionalProperties": False,
    }
    required = [field.name for field in fields if field.default is attrs.NOTHING]
    return schema | ({"required": required} if required else {})


def _of_field(field: attrs.Attribute[Any]) -> dict[str, Any]:
    schema = of_kind(field.type)
    schema |= getattr(field.metadata.get("check"), "schema", {})
    if text := field.metadata.get("help"):
        schema["description"] = text
    default = list(field.default) if isinstance(field.default, tuple) else [field.default]
    if all(isinstance(value, str | int | float) for value in default) and not field.metadata.get("secret"):
        schema["default"] = default if isinstance(field.default, tuple) else field.default
    return schema


def of_kind(kind: Any) -> dict[str, Any]:
    """The schema of one type. TOML has no null: ``X | None`` is ``X``."""
    if kinds.is_union(kind):
        alternatives = [of_kind(member) for member in kinds.members(kind)]
        return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
    if kinds.choices(kind):
        return {"enum": list(kinds.choices(kind))}
    if kinds.is_list(kind):
        return _of_list(kind)
    if kinds.is_mapping(kind):
        return {"type": "object", "additionalProperties": of_kind(kinds.value_kind(kind))}
    if isinstance(kind, type) and attrs.has(kind):
        return of_class(kind)
    return {"type": _SCALARS[kind]} if kind in _SCALARS else {}


def _of_list(kind: Any) -> dict[str, Any]:
    arguments = get_args(kind)
    if kind is tuple or not arguments:
        return {"type": "array"}
    count = len(arguments)
    elements = kinds.element_kinds(kind, count) or ()
    if len(elements) == count and Ellipsis not in arguments and getattr(kind, "__origin__", None) is tuple:
        return {"type": "array", "prefixItems": [of_kind(element) for element in elements], "items": False, "minItems": count}
    return {"type": "array", "items": of_kind(elements[0])}
