"""When a link over a distant path looks for the LAN. It keeps what it has until the better channel is open."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from hallway.protocol.backoff import Backoff

FIRST_LOOK = 0.3
"""Seconds over which the first look is spread: both ends see the way at about the same time."""
LOOKS = (5.0, 60.0)
"""Seconds between two looks that fail: the first and the longest."""


@attrs.define
class Upgrade:
    """The next look of one link: ``at`` is its time, None if none is planned. ``random`` returns 0 to 1 (1 excluded)."""

    random: Callable[[], float]
    at: float | None = None
    _backoff: Backoff = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._backoff = Backoff(*LOOKS, self.random)

    def is_due(self, now: float) -> bool:
        """Whether to look now."""
        return self.at is not None and self.at <= now

    def wanted(self, now: float, *, news: bool) -> None:
        """There is a way over the LAN; ``news``: it has just shown up or changed."""
        if news:
            self._backoff.reset()
        if news or self.at is None:
            self.at = now + FIRST_LOOK * self.random()

    def looked(self) -> None:
        """A look is under way."""
        self.at = None

    def failed(self, now: float) -> None:
        """It has led to nothing."""
        self.at = now + self._backoff.next()

    def cancel(self) -> None:
        """No look is wanted."""
        self.at = None
        self._backoff.reset()
