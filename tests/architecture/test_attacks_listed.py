"""Every attack of the threat model has a test, and the table there says where."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "explanation" / "threat-model.md"
ATTACKS = [f"A{number}" for number in (*range(1, 7), 8, *range(10, 22), 23, *range(25, 28))]


def ids(node: ast.AST) -> Iterator[str]:
    """The ids of every ``pytest.mark.attack(...)`` in an expression."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.attack":
            yield from (argument.value for argument in call.args if isinstance(argument, ast.Constant))


def marks(path: Path) -> Iterator[str]:
    """The ids that the tests of a module carry: each by a mark of its own, of its class, or of the module."""
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            yield from ids(node.value)
    for node in ast.walk(tree):
        is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if is_test or (isinstance(node, ast.ClassDef) and node.name.startswith("Test")):
            for decorator in node.decorator_list:  # type: ignore[attr-defined]
                yield from ids(decorator)


def places() -> dict[str, set[str]]:
    """The files with tests of each attack."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for folder in ("core", "plugins", "contrib", "tests"):
        for path in (ROOT / folder).rglob("test_*.py"):
            for attack in marks(path):
                found[attack].add(str(path.relative_to(ROOT)))
    return found


def test_every_attack_has_a_test() -> None:
    found = places()
    assert found.keys() == {*ATTACKS}


def test_the_threat_model_says_where_each_is_tested() -> None:
    rows = dict(re.findall(r"^\| (A\d+) \|.*\| ([^|]*) \|$", TABLE.read_text(), re.MULTILINE))
    found = places()
    assert list(rows) == ATTACKS
    for attack, where in rows.items():
        named = set(re.findall(r"`([^`]+\.py)`", where))
        assert named, attack
        assert named <= found[attack], attack
