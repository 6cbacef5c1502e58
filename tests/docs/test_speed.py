"""The measured numbers in the documentation: the page, the README and the picture show the same run."""

from __future__ import annotations

import hashlib
import json
import runpy

from docpages import ROOT

SHOWN = ROOT / "docs" / "reference"


def test_the_picture_was_drawn_from_the_numbers_beside_it() -> None:
    numbers = (SHOWN / "speed.json").read_bytes()
    drawn_from = f"speed.json {hashlib.sha256(numbers).hexdigest()}"
    assert drawn_from.encode() in (SHOWN / "speed.png").read_bytes(), "run `make bench-docs`"


def test_what_is_published_is_what_a_run_found_without_its_single_rounds() -> None:
    report = runpy.run_path(str(ROOT / "tests" / "bench" / "docs_report.py"))
    shown = json.loads((SHOWN / "speed.json").read_text())
    run = {**shown, "relay": {}, "connect": {**shown["connect"], "bare": {**shown["connect"]["bare"], "all_ms": [57.0]}}}
    assert report["digest"](run) == shown


def test_numbers_are_written_with_the_digits_that_count() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "generate_speed.py"))
    assert [page["figure"](value) for value in (93882.5, 1208.8, 812.3, 12.34)] == ["93,900", "1,210", "812", "12.3"]
    assert [page["time"](value) for value in (10100, 57.2, 0.316)] == ["10.1 s", "57 ms", "0.32 ms"]
    assert [page["times"](value) for value in (7.71, 0.834, 0.0024)] == ["7.7", "0.83", "0.002"]
