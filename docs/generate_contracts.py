"""The reference of what a plugin meets: the hooks, the interfaces, the provider records and the values. Called by generate.py."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs

from hallway import hookspecs, interfaces, model, plugins
from hallway.plugins.roles import OBSERVER_GROUP, ROLES
from hallway.testing import conformance

HERE = Path(__file__).parent / "reference"

MADE = "<!-- Made by docs/generate_contracts.py from the code: change the code, then run docs/generate.py. -->"

HOOKS = f"""\
# Hooks

{MADE}

A plugin is a module with functions of these names, marked with `hallway.plugins.hookimpl`, and an entry point that names the module.
The entry point's name is the plugin's name in a chain. A function may leave out arguments that it does not use;
one with another name, or with an argument that is not listed here, makes the plugin unusable and is reported.
Hooks are synchronous. How a plugin is written is told in [Write a plugin](../how-to/write-a-plugin.md).

| entry-point group | hook | returns | the factory makes |
|---|---|---|---|
"""

INTERFACES = f"""\
# Interfaces

{MADE}

What a plugin's objects promise, and what they are given. Each role has a conformance suite in `hallway.testing.conformance` that holds
a plugin to all of this. How a plugin is written is told in [Write a plugin](../how-to/write-a-plugin.md).

"""

CONTRACTS = (
    interfaces.Discovery,
    interfaces.DiscoveryHost,
    interfaces.Signaling,
    interfaces.SignalingHost,
    interfaces.Connector,
    interfaces.Dialing,
    interfaces.Channel,
    interfaces.ControlBus,
)
RECORDS = (plugins.DiscoveryProvider, plugins.SignalingProvider, plugins.ChannelProvider, plugins.PluginContext)
VALUES = tuple(cls for cls in vars(model).values() if attrs.has(cls) and cls.__module__ == model.__name__)
CAPABILITIES = (conformance.DiscoveryCapabilities, conformance.SignalingCapabilities, conformance.ChannelCapabilities)


def hooks() -> dict[str, Callable[..., Any]]:
    """Every hook, in the order of its source."""
    return {name: spec for name, spec in vars(hookspecs).items() if hasattr(spec, "hallway_spec")}


def members(cls: type) -> dict[str, Any]:
    """The methods and properties of an interface."""
    return {name: member for name, member in vars(cls).items() if not name.startswith("_") and not isinstance(member, str | dict)}


def signature(name: str, member: Any) -> str:
    """How a member is called."""
    if isinstance(member, property):
        return f"{name} -> {inspect.signature(member.fget).return_annotation}"  # type: ignore[arg-type]
    called = inspect.signature(member)
    shown = called.replace(parameters=[each for each in called.parameters.values() if each.name != "self"])
    return ("async " if inspect.iscoroutinefunction(member) else "") + name + re.sub(r"'", "", str(shown))


def markdown(item: Any) -> str:
    """A docstring, without its code examples indented beyond recognition."""
    text = inspect.getdoc(item) or ""
    text = re.sub(r"::\n\n((?:    .*\n?|\n)+)", lambda found: ":\n\n" + _indented(found[1]) + "\n", text)
    text = re.sub(r"\nRaises:\n", "\nRaises:\n\n", text)
    text = re.sub(r"^    (\w+(?:, \w+)*): (.*)$", r"* `\1`: \2", text, flags=re.MULTILINE)
    return text.replace("``", "`").strip()


def _indented(code: str) -> str:
    return "\n".join(line.rstrip() for line in code.rstrip("\n").split("\n"))


def fields(cls: type) -> Iterator[str]:
    """A table of the fields of a frozen class, with what the source says below each."""
    told = dict(re.findall(r'^    (\w+):[^\n]*\n    """(.*?)"""', inspect.getsource(cls), re.MULTILINE | re.DOTALL))
    yield "| field | type | default | meaning |\n|---|---|---|---|\n"
    for field in attrs.fields(cls):
        default = "required" if field.default is attrs.NOTHING else f"`{field.default!r}`"
        # As it is written: attrs forgets that once somebody has resolved the types.
        kind = str(cls.__annotations__[field.name]).replace("|", "\\|")
        meaning = " ".join(told.get(field.name, "").replace("``", "`").split()).replace("|", "\\|")
        yield f"| `{field.name}` | `{kind}` | {default} | {meaning} |\n"
    yield "\n"


def hooks_page() -> str:
    """The page hooks.md."""
    rows = [f"| `{role.group}` | `{role.hook}` | `{role.record.__name__}` | `{role.interface.__name__}` |\n" for role in ROLES.values()]
    parts = [HOOKS, *rows, f"| `{OBSERVER_GROUP}` | any of those below that begin to observe | nothing | |\n\n"]
    for name, spec in hooks().items():
        parts.append(f"## `{name}`\n\n`{signature(name, spec)}`\n\n{markdown(spec)}\n\n")
    parts.append("# Provider records\n\n".replace("# ", "## "))
    for cls in RECORDS:
        parts += [f"### `{cls.__name__}`\n\n{markdown(cls)}\n\n", *fields(cls)]
    return "".join(parts).rstrip("\n") + "\n"


def interfaces_page() -> str:
    """The page interfaces.md."""
    parts = [INTERFACES]
    for cls in CONTRACTS:
        parts.append(f"## `{cls.__name__}`\n\n{markdown(cls)}\n\n")
        parts += [f"* `{name}`: `{kind}`\n" for name, kind in vars(cls).get("__annotations__", {}).items()]
        parts.append("\n" if vars(cls).get("__annotations__") else "")
        parts += [
            f"### `{cls.__name__}.{name}`\n\n`{signature(name, member)}`\n\n{markdown(member)}\n\n" for name, member in members(cls).items()
        ]
    parts.append("## Values\n\nFrom `hallway.model`.\n\n")
    for cls in VALUES:
        parts += [f"### `{cls.__name__}`\n\n{markdown(cls)}\n\n", *fields(cls)]
    parts.append("## Capabilities\n\nWhat a plugin declares to its conformance suite. From `hallway.testing.conformance`.\n\n")
    for cls in CAPABILITIES:
        parts += [f"### `{cls.__name__}`\n\n{markdown(cls)}\n\n", *fields(cls)]
    return "".join(parts).rstrip("\n") + "\n"


def pages() -> dict[Path, str]:
    """Every page of this module."""
    return {HERE / "hooks.md": hooks_page(), HERE / "interfaces.md": interfaces_page()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
