"""What urllib and ipaddress raise, as clauses about the text that the operator wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hallway.config.kinds import shown


class BadPlace(ValueError):
    """A text that says no place where a peer can be: ``problem`` is a clause of which the text is the subject."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"'{shown(text)}' {problem}")


@contextmanager
def mapped(text: str) -> Iterator[None]:
    """Turn what a parser says of ``text`` into `BadPlace`."""
    try:
        yield
    except BadPlace:
        raise
    except ValueError as error:
        raise BadPlace(text, f"cannot be read: {error}") from error
