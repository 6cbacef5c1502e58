"""What peers reply to what was sent, as the store gets to know it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter

import attrs

from hallway.protocol.parcels import Nak
from hallway.runtime.delivery.outcomes import Outcomes
from hallway.runtime.delivery.trouble import Trouble
from hallway.runtime.tasks import TaskSet
from hallway.store import Store

Range = tuple[int, int]
FORGETTING = "what was delivered cannot be forgotten"
MOST_RANGES = 64
"""Ranges of one stream that are noted, at most: what is left out is acknowledged again, with all that is before it."""


@attrs.define
class _Noted:
    """What a peer has replied in one stream, and the store does not know yet."""

    incarnation: int
    upto: int = 0
    ranges: tuple[Range, ...] = ()
    refused: dict[int, str] = attrs.field(factory=dict)
    """Why, by the number of the message."""


class Replies:
    """Those of all peers. Of each stream the store is told one thing at a time, and then all that came meanwhile.

    So a peer that replies without end makes no more work than the store can do.
    """

    def __init__(self, store: Store, outcomes: Outcomes, trouble: Trouble, tasks: TaskSet) -> None:
        self._store = store
        self._outcomes = outcomes
        self._trouble = trouble
        self._tasks = tasks
        self._noted: dict[tuple[str, str], _Noted] = {}
        self._telling: dict[tuple[str, str], asyncio.Task[None]] = {}

    def acknowledged(self, peer: str, stream: str, incarnation: int, upto: int, ranges: tuple[Range, ...]) -> None:
        """The peer has everything up to ``upto``, and the ``ranges`` (both ends included)."""
        noted = self._note(peer, stream, incarnation)
        noted.upto = max(noted.upto, upto)
        if ranges:
            noted.ranges = _union((*noted.ranges, *ranges))[:MOST_RANGES]

    def refused(self, peer: str, nak: Nak) -> None:
        """The peer will never take that message."""
        self._note(peer, nak.stream, nak.incarnation).refused.setdefault(nak.seq, nak.reason)

    async def settled(self, peer: str, stream: str) -> None:
        """Wait until the store knows all that was replied in this stream until now."""
        if (telling := self._telling.get((peer, stream))) is not None:
            await asyncio.wait([telling])

    async def bury(self, peer: str, stream: str, seqs: Sequence[int], reason: str) -> None:
        """Make dead letters of these, and tell of it."""
        burying = self._trouble.insist("a dead letter cannot be kept", lambda: self._store.bury(peer, stream, seqs, reason))
        self._outcomes.undelivered(peer, await burying, reason)

    def _note(self, peer: str, stream: str, incarnation: int) -> _Noted:
        key = peer, stream
        noted = self._noted.get(key)
        if noted is None or noted.incarnation != incarnation:
            noted = self._noted[key] = _Noted(incarnation)
        if key not in self._telling:
            self._telling[key] = self._tasks.start(self._tell(peer, stream), f"replies of {peer}")
        return noted

    async def _tell(self, peer: str, stream: str) -> None:
        key = peer, stream
        try:
            while (noted := self._noted.pop(key, None)) is not None:
                # First: the acknowledgement that follows a refusal goes past it, and would make it a delivery.
                for reason, refused in groupby(noted.refused.items(), itemgetter(1)):
                    await self.bury(peer, stream, [seq for seq, _ in refused], reason)
                await self._forget(peer, stream, noted)
        finally:
            del self._telling[key]

    async def _forget(self, peer: str, stream: str, noted: _Noted) -> None:
        if not noted.upto and not noted.ranges:
            return
        forget = partial(self._store.acked, peer, stream, noted.incarnation, noted.upto, noted.ranges)
        self._outcomes.delivered(peer, await self._trouble.insist(FORGETTING, forget))


def _union(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same numbers in ranges that do not touch, in order."""
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return tuple(joined)
