"""What the quotas are measured against: counters in memory that follow the transactions."""

from __future__ import annotations

TOTAL = "*"
"""The key of all bodies in the outbox, each counted once; no device id looks like it."""
LETTERS = "+"
"""The key of all dead letters."""


class Ledger:
    """Messages and bytes by key. Whatever is not committed is taken back in the order in which it came."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, int]] = {}
        self._uncommitted: list[tuple[str, int, int]] = []

    def of(self, key: str) -> tuple[int, int]:
        """Messages and bytes of ``key``, what is not committed included."""
        return self._sums.get(key, (0, 0))

    def sums(self) -> dict[str, tuple[int, int]]:
        """All that is not zero."""
        return dict(self._sums)

    def add(self, key: str, count: int, size: int) -> None:
        """Count so many messages and bytes more, or less."""
        self._change(key, count, size)
        self._uncommitted.append((key, count, size))

    def rollback(self) -> None:
        """Take back all that is not committed."""
        while self._uncommitted:
            key, count, size = self._uncommitted.pop()
            self._change(key, -count, -size)

    def commit(self) -> None:
        """What was added stands."""
        self._uncommitted.clear()

    def _change(self, key: str, count: int, size: int) -> None:
        messages, held = self._sums.get(key, (0, 0))
        if messages + count or held + size:
            self._sums[key] = messages + count, held + size
        else:
            self._sums.pop(key, None)
