"""The house rules that a program can check: sizes, imports, metadata, and what must not be in a commit."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "contrib" / "plugin-template"
"""No member: it is built and tried apart, as a stranger's plugin is."""
PLUGINS = sorted({path.parent for folder in ("plugins", "contrib") for path in ROOT.glob(f"{folder}/*/pyproject.toml")} - {TEMPLATE})
MEMBERS = [ROOT / "core", *PLUGINS]
SOURCES = sorted(path for member in MEMBERS for path in (member / "src").rglob("*.py"))
CONTRACTS = ("interfaces/", "hookspecs.py")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function with its lines, docstring and decorators not counted."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
            doc_lines = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            yield f"{relative(path)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1 - doc_lines


def module_name(path: Path) -> str:
    inside = path.relative_to(next(member / "src" for member in MEMBERS if member in path.parents))
    return ".".join(inside.with_suffix("").parts).removesuffix(".__init__")


def test_functions_are_short() -> None:
    sizes = sorted(size for path in SOURCES for _, size in functions(path))

    assert statistics.median(sizes) <= 8
    assert sizes[int(len(sizes) * 0.9)] <= 30


@pytest.mark.parametrize("path", [path for path in SOURCES if not any(part in str(path) for part in CONTRACTS)], ids=relative)
def test_no_module_is_over_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def imports(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """What is imported as soon as the module is: not in functions, and not for types only."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.Try):
            yield from imports([*node.body, *(each for handler in node.handlers for each in handler.body), *node.orelse])
        elif isinstance(node, ast.If):
            yield from imports(node.orelse if "TYPE_CHECKING" in ast.unparse(node.test) else [*node.body, *node.orelse])


def imported(path: Path, modules: Collection[str]) -> Iterator[str]:
    """Which of ``modules`` a module needs: one that it imports, or from which it takes a name."""
    for node in imports(ast.parse(path.read_text()).body):
        for each in node.names:
            taken = each.name if isinstance(node, ast.Import) else f"{node.module}.{each.name}"
            home = taken if taken in modules else taken.rpartition(".")[0]
            if home in modules:
                yield home


def test_modules_import_whatever_was_imported_first() -> None:
    """No import leads back to where it began, and importing warns of nothing."""
    modules = {module_name(path): path for path in SOURCES if path.name != "__main__.py"}
    order = TopologicalSorter({name: imported(path, modules) for name, path in modules.items()}).static_order()
    script = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    outcome = subprocess.run([sys.executable, "-W", "error", "-c", script, *order], capture_output=True, text=True, check=False)

    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize("member", MEMBERS, ids=relative)
def test_members_are_whole(member: Path) -> None:
    project = tomllib.loads((member / "pyproject.toml").read_text())["project"]
    (package,) = (member / "src").iterdir()

    assert project["name"].replace("-", "_") == package.name
    assert project["requires-python"] == ">=3.11"
    assert (package / "py.typed").exists()
    assert len((member / "README.md").read_text().splitlines()) > 10
    assert list((member / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("member", PLUGINS, ids=relative)
def test_plugins_are_alike_inside(member: Path) -> None:
    (package,) = (member / "src").iterdir()
    files = {path.name for path in package.iterdir()}

    assert {"__init__.py", "plugin.py", "config.py", "errors.py", "py.typed"} <= files


def test_public_names_exist() -> None:
    import hallway

    assert {name: getattr(hallway, name) for name in hallway.__all__}.keys() == set(hallway.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hallway.nonsense


def test_the_lock_pins_every_version_with_hashes_and_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^[a-z0-9][^\s=]*==\S+.*$", lock, re.MULTILINE)

    assert pins
    assert all(pin.endswith("\\") for pin in pins)
    assert "://" not in lock


def test_tests_have_unique_names_and_their_folders_no_init() -> None:
    files = [path for path in ROOT.rglob("test_*.py") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    names = [path.name for path in files]

    assert sorted(names) == sorted(set(names))
    assert not [path for path in files if (path.parent / "__init__.py").exists()]


def test_the_root_names_every_plugin_wherever_it_names_plugins() -> None:
    """A plugin that somebody forgot to list would be guarded by nothing."""
    root = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    packages = {next((member / "src").iterdir()).name for member in MEMBERS}
    plugins = packages - {"hallway"}
    contracts = {contract["name"]: contract for contract in root["importlinter"]["contracts"]}

    assert set(root["importlinter"]["root_packages"]) == packages
    assert set(contracts["Plugins never import each other"]["modules"]) == plugins
    assert plugins <= set(contracts["The core imports no plugin and no transport library"]["forbidden_modules"])
    assert packages <= set(root["ruff"]["lint"]["isort"]["known-first-party"])
    assert {name.replace("-", "_") for name in root["uv"]["sources"]} == packages


def test_every_member_is_set_up_and_its_tests_run_but_the_template_is_tried_apart() -> None:
    root = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    workspace = root["uv"]["workspace"]
    globbed = {path for glob in workspace["members"] for path in ROOT.glob(glob) if (path / "pyproject.toml").exists()}
    outcome = subprocess.run(["make", "--dry-run", "--always-make", "wheels"], cwd=ROOT, capture_output=True, text=True, check=True)
    (built,) = (line for line in outcome.stdout.splitlines() if "tests/wheels/smoke.py" in line)

    assert globbed - {ROOT / path for path in workspace["exclude"]} == set(MEMBERS)
    assert {ROOT / word for word in built.split("smoke.py")[1].split()} == set(MEMBERS)
    assert all(
        any(member.is_relative_to(ROOT / path.removesuffix("/tests")) for path in root["pytest"]["ini_options"]["testpaths"])
        for member in MEMBERS
    )
