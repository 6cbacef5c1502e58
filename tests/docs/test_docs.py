"""What README and docs say is what the code does. README.md beside this file says how each kind of block is tested."""

from __future__ import annotations

import asyncio
import importlib
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from signal import SIGINT
from typing import Any, Required, get_args, get_origin, get_type_hints

import attrs
import pytest
from doc_stderr import complaints
from docpages import ROOT, Block, Page, all_pages

import hallway
from hallway import events
from hallway.cli.main import COMMANDS
from hallway.config import config_from_mapping, json_schema
from hallway.peer import PeerArguments
from hallway.protocol.effects import DownReason
from hallway.runtime.links.outgoing import STALL_SECONDS
from netlab import Process
from netlab.plugin import require_lab

SESSION = Path(__file__).parent / "support" / "doc_session.py"
PAGES = all_pages()
PROGRAM_PAGES = [page for page in PAGES if not page.name.startswith("tests/")]
MINIMUM = {"security": "open", "device": {"id": "tablet-1", "property": "hotel-1"}}
RUN = {"config", "plan", "plugins", "--version"}
"""Commands that end by themselves at once; of the others the options are checked against their help."""
GROUPS = {"bench"}
"""Those of the others whose options are a sub-command's."""
LONGEST_EXAMPLE = 15


def page(name: str) -> Page:
    return next(page for page in PAGES if page.name == name)


def blocks(language: str, pages: Iterable[Page] = PROGRAM_PAGES) -> list[Any]:
    return [pytest.param(page, block, id=f"{page.name}:{block.line}") for page in pages for block in page.of(language)]


def commands(pages: Iterable[Page] = PROGRAM_PAGES) -> list[Any]:
    found = [(page, block, *each) for page in pages for block in page.of("console") for each in block.commands()]
    return [pytest.param(*each, id=f"{each[0].name}:{each[2][:70]}") for each in found if each[2].startswith("hallway ")]


# Python


PROGRAMS = [each for each in blocks("python") if not each.values[0].is_marked("one session")]
NO_PROGRAMS = {"test: two devices", "test: until stopped", "test: pytest"}


@pytest.mark.parametrize(("page", "block"), [each for each in PROGRAMS if each.values[1].mark not in NO_PROGRAMS])
async def test_a_program_of_the_documentation_runs_to_its_end(page: Page, block: Block, folder: Path, run: Any) -> None:
    page.write_files(folder)
    (folder / "program.py").write_text(block.text)
    await run([sys.executable, "program.py"])


@pytest.mark.parametrize(("page", "block"), [each for each in PROGRAMS if each.values[1].mark == "test: two devices"])
async def test_a_program_for_two_devices_links_them_and_lets_them_talk(page: Page, block: Block, folder: Path, spawn: Any) -> None:
    (folder / "program.py").write_text(block.text)
    devices = [await spawn([sys.executable, "program.py", name]) for name in ("tablet-1", "tablet-2")]
    for device, other in zip(devices, ("tablet-2", "tablet-1"), strict=True):
        assert other in await device.read_line()
    for device in devices:
        await _interrupt(device)


@pytest.mark.parametrize(("page", "block"), [each for each in PROGRAMS if each.values[1].mark == "test: until stopped"])
async def test_a_program_that_runs_until_it_is_stopped_says_something(page: Page, block: Block, folder: Path, spawn: Any) -> None:
    (folder / "program.py").write_text(block.text)
    program = await spawn([sys.executable, "-u", "program.py"])
    assert await program.read_line()
    await _interrupt(program)


async def _interrupt(program: Process) -> None:
    program.send_signal(SIGINT)
    await program.wait()
    before, traceback, rest = _around(complaints(program), "Traceback (most recent call last):")
    assert before == [], program.transcript()
    assert not traceback or rest[-1].startswith("KeyboardInterrupt"), program.transcript()


def _around(lines: list[str], mark: str) -> tuple[list[str], bool, list[str]]:
    """What comes before ``mark``, whether it comes, and what comes after it."""
    index = lines.index(mark) if mark in lines else len(lines)
    return lines[:index], index < len(lines), lines[index + 1 :]


@pytest.mark.parametrize(("page", "block"), [each for each in PROGRAMS if each.values[1].mark == "test: pytest"])
async def test_the_tests_that_a_page_shows_pass(page: Page, block: Block, folder: Path, run: Any) -> None:
    page.write_files(folder)
    (folder / "test_page.py").write_text(block.text)
    without = [word for plugin in ("cacheprovider", "asyncio") for word in ("-p", f"no:{plugin}")]
    process = await run([sys.executable, "-m", "pytest", "-q", "-W", "error", *without, "test_page.py"])
    assert f"{block.text.count('def test_')} passed" in process.transcript()


@pytest.mark.parametrize("page", [pytest.param(each, id=each.name) for each in PROGRAM_PAGES if each.is_marked("one session")])
async def test_the_blocks_of_a_session_run_one_after_the_other(page: Page, folder: Path, run: Any) -> None:
    names = []
    for block in page.of("python"):
        names.append(f"line-{block.line}.py")
        (folder / names[-1]).write_text(block.text)
    await run([sys.executable, str(SESSION), *names])


def test_the_example_on_the_first_screen_has_at_most_fifteen_lines() -> None:
    readme = page("README.md")
    example = readme.of("python")[0]
    assert len([line for line in example.text.splitlines() if line.strip()]) <= LONGEST_EXAMPLE
    assert example.text in "\n".join(readme.text.splitlines()[:50])


# Configuration


@pytest.mark.parametrize(("page", "block"), blocks("toml"))
def test_a_configuration_is_valid_or_a_valid_part_of_one(page: Page, block: Block) -> None:
    config_from_mapping({**MINIMUM, **tomllib.loads(block.text)})


# Commands


@pytest.mark.parametrize(("page", "block", "command", "output"), commands())
async def test_a_command_takes_what_the_page_gives_it(
    page: Page, block: Block, command: str, output: list[str], folder: Path, spawn: Any
) -> None:
    words = shlex.split(command, comments=True)
    page.write_files(folder)
    if words[1] in RUN:
        printed = (await _output(spawn, words)).splitlines()
        assert [line for line in output if line not in printed] == []
    else:
        assert words[1] in COMMANDS or entry_points(group="hallway.commands", name=words[1])
        help_text = await _output(spawn, [*words[: 3 if words[1] in GROUPS else 2], "--help"])
        assert [word for word in words if word.startswith("--") and word not in help_text] == []


async def _output(spawn: Any, words: list[str]) -> str:
    process = await spawn([sys.executable, "-m", "hallway.cli", *words[1:]])
    status = await process.wait()
    if status == 0:
        assert complaints(process) == []
    else:
        assert process.stderr_lines[0].startswith("hallway: "), process.transcript()
        assert not any("Traceback" in line for line in process.stderr_lines), process.transcript()
    return "\n".join([*(line.text for line in process.unread), *process.stderr_lines])


def ups(page: Page, mark: str | None = None) -> list[list[str]]:
    chosen = [block for block in page.of("console") if mark is None or block.mark == mark]
    found = [shlex.split(command) for block in chosen for command, _ in block.commands()]
    return [[sys.executable, "-m", "hallway.cli", *words[1:]] for words in found if words[:2] == ["hallway", "up"]]


LINKING = [page for page in PAGES if "<!-- test: these devices link -->" in page.text and page.name.startswith("docs/")]


@pytest.mark.parametrize("page", [pytest.param(each, id=each.name) for each in LINKING])
async def test_the_devices_of_a_page_link(page: Page, folder: Path, spawn: Any) -> None:
    require_lab()
    page.write_files(folder)
    devices = [await spawn(argv) for argv in ups(page, "test: these devices link")]
    assert len(devices) > 1
    for device in devices:
        while not (await device.read_line()).startswith("linked to"):
            pass
    assert await asyncio.gather(*(device.terminate() for device in devices)) == [0] * len(devices)
    assert [complaints(device) for device in devices] == [[]] * len(devices)


AGAINST = [page for page in PROGRAM_PAGES if page.is_marked("against a running device")]


@pytest.mark.parametrize("page", [pytest.param(each, id=each.name) for each in AGAINST])
async def test_curl_gets_from_a_running_device_what_the_page_shows(page: Page, folder: Path, spawn: Any, run: Any) -> None:
    require_lab()
    page.write_files(folder)
    (argv,) = ups(page)
    device = await spawn(argv)
    assert "is up, signaling local" in await device.read_line()
    requests = [each for block in page.of("console") for each in block.commands() if each[0].startswith("curl ")]
    for command, output in requests:
        assert [line.text for line in (await run(["sh", "-c", command])).unread] == output, command
    assert len(requests) > 5
    assert await device.terminate() == 0
    assert complaints(device) == []


# Links, tables, generated pages


@pytest.mark.parametrize("page", [pytest.param(each, id=each.name) for each in PAGES])
def test_links_within_the_repository_lead_somewhere(page: Page) -> None:
    known = {each.path: each for each in PAGES}
    for target in page.links():
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.path.parent / name).resolve() if name else page.path
        assert path.exists(), target
        assert path.is_relative_to(ROOT), target
        assert not anchor or anchor in known[path].anchors(), target


@pytest.mark.parametrize("name", [path.name for path in sorted((ROOT / "docs" / "reference").glob("*.md"))])
def test_every_page_of_the_reference_is_linked_from_another(name: str) -> None:
    assert any(target.partition("#")[0].endswith(name) for page in PAGES for target in page.links() if page.path.name != name)


def test_the_generated_pages_are_fresh() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    for path, text in generate["pages"]().items():
        assert path.read_text() == text, "run `python docs/generate.py`"


def test_constants_that_tables_name_have_the_values_that_they_give() -> None:
    found = [each for page in PAGES for each in page.constants()]
    assert len(found) >= 10
    for name, value in found:
        module, _, constant = name.rpartition(".")
        assert getattr(importlib.import_module(module), constant) == value, name


def test_the_page_on_json_lines_has_every_event_with_every_field_and_every_reason() -> None:
    text = page("docs/reference/json-lines.md").text
    for cls in get_args(events.Event):
        row = next(line for line in text.splitlines() if line.startswith(f"| `{cls.name}` |"))
        shown = events.to_json(cls(*(None for _ in attrs.fields(cls))))
        assert all(f"`{field}`" in row for field in shown if field != "event"), row
    assert all(f"`{reason.value}`" in text for reason in DownReason)


def test_the_page_on_json_lines_says_the_most_that_a_stalled_peer_holds_up_a_command() -> None:
    assert STALL_SECONDS <= 10
    assert "for at most 10 s" in page("docs/reference/json-lines.md").text


def test_the_page_on_the_python_api_has_every_public_name() -> None:
    text = page("docs/reference/python-api.md").text
    members = [
        name
        for name, member in vars(hallway.Peer).items()
        if not name.startswith("_") and (callable(member) or isinstance(member, property))
    ]
    assert all(f"| `{name}` |" in text for name in hallway.__all__)
    assert [name for name in members if name not in text] == []


def test_the_page_on_the_python_api_has_every_argument_of_create_peer() -> None:
    text = page("docs/reference/python-api.md").text
    _, _, section = text.partition("\n## `create_peer`\n")
    rows = [line.split(" | ") for line in section.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    assert [row[0].strip("| `") for row in rows] == [*PeerArguments.__annotations__, "observers"]
    required = [row[0].strip("| `") for row in rows if row[1] == "required"]
    assert required == [name for name, kind in get_type_hints(PeerArguments, include_extras=True).items() if get_origin(kind) is Required]
    keys = {".".join(path) for path, _, _ in runpy.run_path(str(ROOT / "docs" / "generate.py"))["keys"](json_schema())}
    assert {name for row in rows for name in re.findall(r"`([a-z-]+(?:\.[a-z_-]+)+)`", row[2])} <= keys


def test_the_command_that_installs_from_a_checkout_names_every_package() -> None:
    (line,) = (line for line in page("README.md").text.splitlines() if line.startswith("pip install ./"))
    names = {tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["name"] for folder in line.split()[2:]}
    members = [ROOT / "core", *(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
    assert names == {tomllib.loads((member / "pyproject.toml").read_text())["project"]["name"] for member in members}


def test_every_decision_is_numbered_and_says_context_decision_and_consequences() -> None:
    decisions = [each for each in PAGES if each.path.parent.name == "decisions"]
    for number, decision in enumerate(decisions, 1):
        assert decision.path.name.startswith(f"{number:04}-")
        assert all(f"\n## {part}\n" in decision.text for part in ("Context", "Decision", "Consequences")), decision.name


def test_the_makefile_has_every_target_that_a_page_names() -> None:
    targets = {line.partition(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if line[:1].islower()}
    named = {
        shlex.split(command)[1]
        for page in PAGES
        for block in page.of("console")
        for command, _ in block.commands()
        if command.startswith("make ")
    }
    assert {"demo", "test", "setup"} <= named <= targets
