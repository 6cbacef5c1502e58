"""The history for people: tables in plain words, with nothing of a message that a terminal would obey."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hallway.runtime.delivery.history import PREVIEW_BYTES
from hallway.store import EXPIRED

Json = dict[str, Any]

PIPE_WIDTH = 120
"""Columns where there is no terminal."""
PREVIEW = 60
REASONS = {EXPIRED: "its time to live was over"}
WORDS = {
    "outbox": ("for", "Waiting to be sent", "Nothing waits to be sent.", "Could not be sent"),
    "inbox": ("from", "Waiting for the application", "Nothing waits for the application.", "The application could not take"),
}
"""By box: how a peer is named, what waits, that nothing waits, and what is dead."""


WAITS = {
    ("outbox", True): "It is sent as soon as the peer is linked; the log of the device says why it is not.",
    ("outbox", False): "The device does not run: start it, and this is sent when the peer is linked.",
    ("inbox", True): "The application gets it when it asks for messages; look whether it runs and keeps up.",
    ("inbox", False): "The device does not run: start it, and the application gets this.",
}
"""What to do about what waits, by box and whether the device runs."""
FILLING = re.compile(r" +(?=(?:\x1b\[[\d;]*m| )*$)")
"""Blanks behind which nothing but colours comes."""


def show(box: str, found: Json, given: str) -> None:
    """Print the history; ``given``: the options with which the command was told whose it is."""
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, markup=False, emoji=False)
    _, _, nothing, _ = WORDS[box]
    _print(console, _queues(box, found["peers"]) if found["peers"] else nothing)
    if found["peers"]:
        click.echo(WAITS[box, found["running"]])
    if found.get("messages"):
        click.echo()
        _print(console, _messages(box, found["messages"]))
    if found["letters"]:
        click.echo()
        _print(console, _letters(box, found["letters"]))
        for word, action in (("Try again", "retry"), ("Forget", "drop")):
            one = f"hallway {box} {action} {found['letters'][0]['letter']} {given}".rstrip()
            click.echo(f"{word}: {one}; or --all in place of the number")
    for line in _left_out(found):
        click.echo(line)


def _print(console: Console, what: Table | str) -> None:
    """Print it without the blanks with which tables fill their lines."""
    with console.capture() as captured:
        console.print(what)
    for line in captured.get().splitlines():
        click.echo(FILLING.sub("", line), color=True)


def _queues(box: str, queues: Sequence[Json]) -> Table:
    whom, title, _, _ = WORDS[box]
    table = _table(title, whom, "messages", "size", "oldest", *(["next expires in"] if box == "outbox" else []))
    for queue in queues:
        cells = [queue["peerId"], str(queue["messages"]), size(queue["bytes"]), duration(queue["oldestSeconds"])]
        _add(table, [*cells, duration(queue["ttlSeconds"], "never")])
    return table


def _messages(box: str, messages: Sequence[Json]) -> Table:
    table = _table("Messages", "id", WORDS[box][0], "number", "age", "size", "message")
    for each in messages:
        _add(table, [each["id"], each["peerId"], str(each["seq"]), duration(each["ageSeconds"]), size(each["bytes"]), _begins(each)])
    return table


def _letters(box: str, letters: Sequence[Json]) -> Table:
    whom, _, _, title = WORDS[box]
    table = _table(title, "letter", whom, "given up", "why", "message")
    for each in letters:
        why = REASONS.get(reason := str(each["reason"]), reason)
        _add(table, [str(each["letter"]), each["peerId"], f"{duration(each['ageSeconds'])} ago", why, _begins(each)])
    return table


def _left_out(found: Json) -> Iterator[str]:
    messages = sum(queue["messages"] for queue in found["peers"]) - len(found.get("messages", ()))
    letters = found["lettersTotal"] - len(found["letters"])
    if "messages" in found and messages > 0:
        yield f"{messages} more messages are not shown; --limit shows more."
    if letters > 0:
        yield f"{letters} more dead letters are not shown; --limit shows more."


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        # What tells one message from another must not be cut.
        is_short = column not in {"why", "message"}
        table.add_column(column, no_wrap=is_short, overflow="fold" if is_short else "ellipsis")
    return table


def _add(table: Table, cells: Sequence[str]) -> None:
    table.add_row(*(Text(plain(cell)) for cell in cells[: len(table.columns)]))


def _begins(message: Json) -> str:
    preview = message["preview"]
    if preview is None:
        return "(too large to show)" if message["bytes"] > PREVIEW_BYTES else "(cannot be read)"
    return preview if len(preview) <= PREVIEW else f"{preview[:PREVIEW]}…"


def plain(text: str) -> str:
    """``text`` with everything that is no visible character written out: what comes from others must not steer a terminal."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)


def size(count: int) -> str:
    """Bytes in words."""
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.1f} KiB" if count < 1024 * 1024 else f"{count / 1024 / 1024:.1f} MiB"


def duration(seconds: float | None, nothing: str = "unknown") -> str:
    """A time in words, in the largest unit that it fills."""
    if seconds is None:
        return nothing
    for unit, length in (("day", 86400), ("h", 3600), ("min", 60)):
        if (count := int(seconds // length)) > 0:
            return f"{count} days" if unit == "day" and count > 1 else f"{count} {unit}"
    return f"{int(seconds)} s"
