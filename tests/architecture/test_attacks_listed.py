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
WANTED = {"A26", "A27"}
"""Those without a test so far."""


def marks(node: ast.AST) -> Iterator[str]:
    """The ids of ``@pytest.mark.attack(...)`` on a function or class."""
    for decorator in getattr(node, "decorator_list", []):
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.attack":
            yield from (argument.value for argument in decorator.args if isinstance(argument, ast.Constant))


def places() -> dict[str, set[str]]:
    """The files with tests of each attack."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in ROOT.glob("*/**/test_*.py"):
        if ".venv" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
            if is_test or (isinstance(node, ast.ClassDef) and node.name.startswith("Test")):
                for attack in marks(node):
                    found[attack].add(str(path.relative_to(ROOT)))
    return found


def test_every_attack_has_a_test() -> None:
    assert sorted({*ATTACKS} - places().keys()) == sorted(WANTED)
    assert not places().keys() - {*ATTACKS}


def test_the_threat_model_says_where_each_is_places() -> None:
    rows = dict(re.findall(r"^\| (A\d+) \|.*\| ([^|]*) \|$", TABLE.read_text(), re.MULTILINE))
    assert list(rows) == ATTACKS
    found = places()
    for attack, where in rows.items():
        named = set(re.findall(r"`([^`]+\.py)`", where))
        assert named == found.get(attack, set()), attack
