"""What comes in from one peer: into the inbox, then acknowledged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from hallway.errors import StoreError
from hallway.protocol.parcels import Ack, Gap, Parcels
from hallway.protocol.receiving import Commit, Receiving
from hallway.runtime.tasks import TaskSet
from hallway.store import Received, Store

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Pause after the store has failed; nothing that came in is acknowledged meanwhile."""


class Inflow:
    """One stream of one peer. What came while the disk was busy shares its next commit; one that fails is tried until it works.

    ``stored`` is called with the messages and bytes that are in the inbox now; ``answer`` sends an acknowledgement, if there is a link.
    """

    def __init__(
        self,
        peer: str,
        receiving: Receiving,
        store: Store,
        tasks: TaskSet,
        stored: Callable[[int, int], None],
        answer: Callable[[Ack], None],
    ) -> None:
        self.receiving = receiving
        self._peer = peer
        self._store = store
        self._tasks = tasks
        self._stored = stored
        self._answer = answer
        self._commits: list[Commit] = []
        self._is_busy = False

    def take(self, frame: Parcels | Gap) -> None:
        """A frame of the stream came.

        Raises:
            BadFrame: there is a hole before it.

        """
        self._commits += self.receiving.gap(frame) if isinstance(frame, Gap) else self.receiving.parcels(frame)
        if self._commits and not self._is_busy:
            self._is_busy = True
            self._tasks.start(self._work(), f"inbox of {self._peer}")

    def waits(self, messages: int, size: int) -> None:
        """So much waits for the application."""
        for ack in self.receiving.waits(messages, size):
            self._answer(ack)

    async def _work(self) -> None:
        try:
            while self._commits:
                commits, self._commits = self._commits, []
                for commit in _merged(commits):
                    await self._store_it(commit)
                    self._stored(len(commit.parcels), sum(len(parcel.body) for parcel in commit.parcels))
                    for ack in self.receiving.committed(commit):
                        self._answer(ack)
        finally:
            self._is_busy = False

    async def _store_it(self, commit: Commit) -> None:
        items = [Received(parcel.seq, parcel.id, 0, parcel.body) for parcel in commit.parcels]
        while True:
            try:
                await self._store.receive(self._peer, self.receiving.stream, commit.incarnation, commit.upto, items)
            except StoreError as error:
                logger.warning("%d messages of %s wait for the store: %s", len(items), self._peer, error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return


def _merged(commits: list[Commit]) -> list[Commit]:
    """Commits of one incarnation become one."""
    merged: list[Commit] = []
    for each in commits:
        before = merged.pop().parcels if merged and merged[-1].incarnation == each.incarnation else ()
        merged.append(Commit(each.incarnation, each.upto, before + each.parcels))
    return merged
