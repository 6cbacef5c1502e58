"""Writes the parts of the reference that the code knows best: ``python docs/generate.py`` after a change of a key or an error.

tests/docs fails as long as a page is not what this makes of the code.
"""

from __future__ import annotations

import inspect
import runpy
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hallway import errors
from hallway.config import json_schema
from hallway.config.keys import variable
from hallway.plugins.loader import installed
from hallway_http_local_signaling._status import STATUS

HERE = Path(__file__).parent / "reference"
CONTRIB = {tomllib.loads(path.read_text())["project"]["name"] for path in HERE.parents[1].glob("contrib/*/pyproject.toml")}
"""Distributions that the default install does not bring."""

CONFIG = """\
# Configuration

<!-- Made by docs/generate.py from the code: change the code, then run it. -->

A TOML file. A device that is enrolled needs one key, for the folder that `hallway init` or `hallway join` made:

```toml
[trust]
state = "/var/lib/hallway/tablet-1"
```

A device with open security is not enrolled, and needs three: whoever reaches its network may join, read and write.

```toml
security = "open"

[device]
id = "tablet-1"
property = "hotel-1"
```

Every key is also an environment variable (`{key}` is `{variable}`) and an argument of `--set`.
`--set` beats the environment, which beats the file. Values there are in TOML syntax, or else text.
`hallway config check` reports every mistake at once, `hallway config schema` prints all this as JSON Schema.
An unknown key is a mistake. The table of an installed plugin that no chain names is checked and unused.
Sealed and open devices do not see each other. `security = "open"` is refused while `trust.state` holds an enrolment, unless
`trust.force_open = true`.

"""

ERRORS = """\
# Errors

<!-- Made by docs/generate.py from the code: change the code, then run it. -->

Every error of hallway is a `HallwayError`. Its class says whose doing it was, and `code` is a stable word for programs.
The text says what happened, and `hint` what to do next.

```
{tree}
```

| error | code | meaning |
|---|---|---|
{errors}

`ConfigError.mistakes` has one `Mistake` for each thing that is wrong, with `path`, `problem` and `suggestion`.
`NoSignalingError.attempts` maps each plugin to its reason. `PluginError` has `plugin`, `problem` and `distribution`.

`hallway up --json` has more codes: `bad-command` for a line on stdin that is no command, and in the event `error`
`attempt-failed` (a peer was not reached: the text says over which path, at which step and why; the same is told once a minute),
`duplicate-device-id`, and `internal` for a bug.

## HTTP

`http-local` answers what it refuses with a status and `{{"error": code, "message": text}}`.
The codes are those of every signaling plugin; the statuses are HTTP's.

| error | status |
|---|---|
{statuses}

A method that a path does not take is `bad-request` with status 405 and `Allow`. `rate-limited` comes with `Retry-After`.
"""


def keys(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any], bool]]:
    """Every key that has a value of its own, with its schema and whether it is required."""
    for name, inner in schema["properties"].items():
        if "properties" in inner:
            yield from keys(inner, (*path, name))
        else:
            yield (*path, name), inner, name in schema.get("required", ())


def kind(schema: Mapping[str, Any]) -> str:
    """The type of a key, for people."""
    if "anyOf" in schema:
        return " or ".join(map(kind, schema["anyOf"]))
    if "prefixItems" in schema:
        return f"list of {len(schema['prefixItems'])}: {', '.join(map(kind, schema['prefixItems']))}"
    if schema.get("type") == "array":
        return f"list of {plural(schema['items'])}"
    if "enum" in schema:
        return " or ".join(f"`{toml(choice)}`" for choice in schema["enum"])
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "object": "table"}
    limits = f", {schema['minimum']:g} to {schema['maximum']:g}" if "minimum" in schema else ""
    return words[schema["type"]] + limits


def plural(schema: Mapping[str, Any]) -> str:
    """What a list is of."""
    return "plugin names" if "enum" in schema else {"text": "texts", "table": "tables"}.get(kind(schema), kind(schema))


def toml(value: Any) -> str:
    """A default in TOML syntax."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def default(schema: Mapping[str, Any], *, required: bool) -> str:
    """What holds when a key is absent."""
    if required:
        return "required"
    return f"`{toml(schema['default'])}`" if "default" in schema else "absent"


def sentence(text: str) -> str:
    """A help text as a table cell."""
    text = text.strip().rstrip(".").replace("|", "\\|")
    return text[:1].upper() + text[1:].replace("``", "`")


def config_section(title: str, schema: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """One table of keys."""
    yield f"## {title}\n\n{sentence(schema['description'])}.\n\n| key | type | default | meaning |\n|---|---|---|---|\n"
    nested = []
    for name, inner, required in keys(schema, path):
        yield f"| `{'.'.join(name)}` | {kind(inner)} | {default(inner, required=required)} | {sentence(inner.get('description', ''))} |\n"
        if isinstance(inner.get("items"), dict) and "properties" in inner["items"]:
            nested.append((name, inner["items"]))
    yield "\n"
    for name, inner in nested:
        yield f"### Each table in `{'.'.join(name)}`\n\n| key | type | default | meaning |\n|---|---|---|---|\n"
        for inner_path, each, required in keys(inner):
            yield f"| `{inner_path[-1]}` | {kind(each)} | {default(each, required=required)} | {sentence(each.get('description', ''))} |\n"
        yield "\n"


def config_page() -> str:
    """The page config.md."""
    schema = json_schema()
    tables = {name: inner for name, inner in schema["properties"].items() if "properties" in inner and name != "plugins"}
    top = {name: inner for name, inner in schema["properties"].items() if "properties" not in inner}
    top_schema = {"description": "The one key outside of any table.", "properties": top, "required": schema.get("required", [])}
    example = ("plugins", "http-local", "port")
    parts = [CONFIG.format(key=".".join(example), variable=variable(example)), *config_section("Top level", top_schema, ())]
    for name, inner in tables.items():
        parts += config_section(f"`[{name}]`", inner, (name,))
    owners = {item.name: item.distribution for item in installed()}
    for name, inner in schema["properties"]["plugins"]["properties"].items():
        apart = ", which the default install does not bring" if owners[name] in CONTRIB else ""
        described = {**inner, "description": f"A plugin of the distribution `{owners[name]}`{apart}"}
        parts += config_section(f"`[plugins.{name}]`", described, ("plugins", name))
    return "".join(parts).rstrip("\n") + "\n"


def error_classes(root: type[errors.HallwayError] = errors.HallwayError) -> Iterator[type[errors.HallwayError]]:
    """The tree, in the order of its source."""
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from error_classes(child)


def first_line(item: Any) -> str:
    """The first line of a docstring."""
    return sentence((inspect.getdoc(item) or "").partition("\n")[0])


def errors_page() -> str:
    """The page errors.md."""
    tree = inspect.cleandoc((errors.__doc__ or "").split("::\n", 1)[1].split("\n\n``code``")[0].strip("\n"))
    rows = "\n".join(f"| `{each.__name__}` | `{each.code}` | {first_line(each)} |" for each in error_classes())
    statuses = "\n".join(f"| `{code.value}` | {status} |" for code, status in STATUS.items())
    return ERRORS.format(tree=tree, errors=rows, statuses=statuses)


def pages() -> dict[Path, str]:
    """Every generated page."""
    others = [
        runpy.run_path(str(Path(__file__).with_name(name))) for name in ("generate_contracts.py", "generate_states.py", "generate_speed.py")
    ]
    pages = {HERE / "config.md": config_page(), HERE / "errors.md": errors_page()}
    return pages | {path: text for other in others for path, text in other["pages"]().items()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
