from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from hallway.errors import Unreachable
from hallway.logs import RepeatFilter
from hallway.protocol.throttle import MAX_KEYS


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.lines: list[str] = []
        self.addFilter(RepeatFilter(clock=lambda: self.now))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, logger = Lines(), logging.getLogger("test-logs")
    logger.addHandler(handler)
    logger.setLevel("DEBUG")
    yield handler
    logger.removeHandler(handler)


log = logging.getLogger("test-logs")


def test_the_same_line_passes_once_a_minute_and_then_says_how_often_it_came(lines: Lines) -> None:
    for second in range(121):
        lines.now = float(second)
        log.warning("%s is not up: %s", "http-local", Unreachable("no route"))
    assert lines.lines == [
        "http-local is not up: no route",
        "http-local is not up: no route (59 more like this meanwhile)",
        "http-local is not up: no route (59 more like this meanwhile)",
    ]


def test_numbers_make_no_other_line_and_names_do(lines: Lines) -> None:
    log.warning("%s begins again in %.1f s", "browsing", 0.5)
    log.warning("%s begins again in %.1f s", "browsing", 1.0)
    log.warning("%s begins again in %.1f s", "advertising", 1.0)
    assert lines.lines == ["browsing begins again in 0.5 s", "advertising begins again in 1.0 s"]


def test_levels_are_told_apart_and_what_helps_to_debug_always_passes(lines: Lines) -> None:
    for _ in range(2):
        log.debug("same")
        log.info("same")
        log.warning("same")
        log.warning("with a %(name)s", {"name": "dict"})
    assert lines.lines == ["same", "same", "same", "with a dict", "same"]


def test_lines_that_never_come_again_are_not_remembered_for_ever(lines: Lines) -> None:
    (repeats,) = lines.filters
    assert isinstance(repeats, RepeatFilter)
    for number in range(2 * MAX_KEYS):
        for _ in range(2):
            log.warning("%s is not up", f"peer-{number}")
    assert len(repeats._left_out) == MAX_KEYS
