"""The reference of hooks and interfaces is what the code says: every name, every argument, every field."""

from __future__ import annotations

import inspect
import re
import runpy
from typing import Any

import attrs
import pytest
from docpages import ROOT

GENERATED: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "generate_contracts.py"))
PAGES: dict[str, str] = {path.name: path.read_text() for path in GENERATED["pages"]()}


def section(page: str, heading: str) -> str:
    """What stands below a heading, until the next one."""
    _, found, rest = PAGES[page].partition(f"# `{heading}`\n")
    assert found, f"{page} has no heading for {heading}"
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def arguments(member: Any) -> list[str]:
    return [name for name in inspect.signature(member).parameters if name != "self"]


def test_the_pages_are_fresh() -> None:
    for path, text in GENERATED["pages"]().items():
        assert path.read_text() == text, "run `python docs/generate.py`"


@pytest.mark.parametrize("name", GENERATED["hooks"]())
def test_a_hook_is_documented_with_its_arguments(name: str) -> None:
    spec = GENERATED["hooks"]()[name]
    shown = re.search(rf"`{name}\((.*?)\)", section("hooks.md", name))
    assert shown
    assert re.findall(r"(\w+):", shown[1]) == arguments(spec)


def test_there_are_hooks_and_interfaces_to_document() -> None:
    assert len(GENERATED["hooks"]()) >= 8
    assert sum(len(GENERATED["members"](cls)) for cls in GENERATED["CONTRACTS"]) >= 20


@pytest.mark.parametrize("cls", GENERATED["CONTRACTS"], ids=lambda cls: cls.__name__)
def test_every_method_of_an_interface_is_documented_with_its_arguments_and_errors(cls: type) -> None:
    for name, member in GENERATED["members"](cls).items():
        text = section("interfaces.md", f"{cls.__name__}.{name}")
        if not isinstance(member, property):
            shown = re.search(rf"{name}\((.*?)\)", text)
            assert shown
            assert re.findall(r"(\w+):", shown[1]) == arguments(member), name
        for error in re.findall(r"^    (\w+(?:, \w+)*):", (inspect.getdoc(member) or "").partition("Raises:")[2], re.MULTILINE):
            assert f"`{error}`" in text, name


@pytest.mark.parametrize("cls", [*GENERATED["RECORDS"], *GENERATED["VALUES"], *GENERATED["CAPABILITIES"]], ids=lambda cls: cls.__name__)
def test_every_field_of_a_record_is_documented(cls: type) -> None:
    text = section("hooks.md" if cls in GENERATED["RECORDS"] else "interfaces.md", cls.__name__)
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [field.name for field in attrs.fields(cls)]
