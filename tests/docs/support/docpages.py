"""Markdown pages as tests see them: fenced blocks with their language and the comment before them, links and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[3]

_BLOCK = re.compile(r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\((?P<target>[^)\s]+)\)")
_CODE_LINK = re.compile(r"`[^`\n]*\]\([^`\n]*`")
_CONSTANT = re.compile(r"^\| `(?P<name>hallway[\w.]*\.[A-Z_]+)` \| (?P<value>[\d.]+) \|", re.MULTILINE)


@attrs.frozen
class Block:
    """One fenced block; ``mark`` is what the comment just before it says, "" without one."""

    language: str
    text: str
    mark: str
    line: int

    @property
    def file(self) -> str | None:
        """The name of the file that this block is."""
        return self.mark.removeprefix("file: ") if self.mark.startswith("file: ") else None

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """The commands of a console block, without their prompts, each with the lines that it prints."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, *output = part.rstrip("\n").split("\n")
            yield command, output


@attrs.frozen(slots=False)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """The path within the repository."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(
            Block(found["language"], found["text"], found["mark"] or "", self.text.count("\n", 0, found.start("language")) + 1)
            for found in _BLOCK.finditer(self.text)
        )

    def of(self, language: str) -> tuple[Block, ...]:
        """The blocks of one language."""
        return tuple(block for block in self.blocks if block.language == language)

    def is_marked(self, mark: str) -> bool:
        """Whether the comment at the top of the page says this."""
        return self.text.startswith(f"<!-- test: {mark} -->\n")

    @property
    def prose(self) -> str:
        """The text without its blocks."""
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.MULTILINE | re.DOTALL)

    def links(self) -> Iterator[str]:
        """The targets of all links."""
        return (found["target"] for found in _LINK.finditer(_CODE_LINK.sub("", self.prose)))

    def anchors(self) -> set[str]:
        """The anchors of the headings, as GitHub makes them."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def constants(self) -> Iterator[tuple[str, float]]:
        """The constants that tables name, with the values that they give."""
        return ((found["name"], float(found["value"])) for found in _CONSTANT.finditer(self.text))

    def write_files(self, folder: Path) -> None:
        """Write the files of the page into ``folder``."""
        for block in self.blocks:
            if block.file:
                (folder / block.file).write_text(block.text)


def all_pages() -> list[Page]:
    """README, docs, and the README of every part."""
    parts = ("core/*.md", "contrib/*.md", "contrib/*/*.md", "plugins/*/*.md", "tests/docs/*.md", "tests/lab/*.md")
    paths = [path for pattern in ("*.md", "docs/**/*.md", *parts) for path in sorted(ROOT.glob(pattern))]
    # The template is not installed here: nothing on its page could be tried.
    return [Page(path) for path in paths if path.parent.name != "plugin-template"]
