"""What becomes of a message in the hands of those who took it."""

from __future__ import annotations

from hallway.events import Event


class Handling:
    """Whether all who took a message have dealt with it: the publisher, who has it first, and everybody to whom it was handed."""

    __slots__ = ("_open", "_reason", "takers")

    def __init__(self) -> None:
        self._open = 1
        self._reason: str | None = None
        self.takers = 0
        """The readers and listeners that have it, or had it and dealt with it."""

    def dealt_with(self, reason: str | None) -> None:
        """All have dealt with it; ``reason`` says why one of them could not. Called once."""
        raise NotImplementedError

    def begin(self) -> None:
        """Somebody takes it."""
        self._open += 1

    def end(self, reason: str | None = None) -> None:
        """One of them has dealt with it, or could not."""
        self._reason = self._reason or reason
        self._open -= 1
        if self._open == 0:
            self.dealt_with(self._reason)


Item = tuple[Event, int, Handling | None]
"""An event that waits for a reader, its size in bytes, and who is to be told of the reader's dealing with it."""
