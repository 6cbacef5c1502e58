"""What is wrong with a text that is not TOML, in the words of somebody who writes a configuration, not a parser."""

from __future__ import annotations

import re

from hallway.config.kinds import shown

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_SECRET = re.compile(r"credential|password|secret|token", re.IGNORECASE)
_BARE_VALUE = re.compile(r"""^\s*[^#=]+=\s*[^\s"'\[{#]""")
_HINTS = (
    ("Cannot overwrite a value", "the key is there twice"),
    ("Cannot declare", "the table is there twice"),
    ("Unescaped '\\'", "write a backslash as \\\\, or put the text in single quotes"),
    ("Expected '=' after a key", "write key = value; a key with spaces needs quotes"),
    ("Unclosed", "a bracket is not closed"),
    ("Unterminated string", "a quote is not closed"),
    ('Expected "', "a quote is not closed"),
    ("Illegal character '\\n'", "a quote is not closed"),
)
_ABOUT_VALUES = ("Invalid value", "Expected newline or end of document")


def explain(text: str, message: str) -> tuple[str, str]:
    """What `tomllib` says of ``text``, with the line that it means, and what to do about it or ""."""
    place = _PLACE.search(message)
    if place is None:
        return shown(message), ""
    said = message[: place.start()]
    number, line = _line(text, place["line"])
    quoted = "" if _SECRET.search(line) or not line.strip() else f": {shown(line.strip())}"
    return f"{said[:1].lower()}{said[1:]} (line {number}){quoted}", _hint(said, line)


def _line(text: str, number: str | None) -> tuple[int, str]:
    """The line of that number; without one, the last that is not empty."""
    lines = text.split("\n")
    if number is not None:
        return int(number), lines[int(number) - 1]
    return max(((index, line) for index, line in enumerate(lines, 1) if line.strip()), default=(1, ""))


def _hint(said: str, line: str) -> str:
    if said.startswith(_ABOUT_VALUES):
        return _value_hint(line)
    return next((hint for start, hint in _HINTS if said.startswith(start)), "")


def _value_hint(line: str) -> str:
    value = line.partition("=")[2].strip()
    if not value:
        return "the value is missing"
    if value.lower() in ("true", "false"):
        return f"write {value.lower()}"
    if re.fullmatch(r"0\d+", value):
        return "a number begins with no 0; text needs quotes"
    return "text needs quotes" if _BARE_VALUE.match(line) else ""
