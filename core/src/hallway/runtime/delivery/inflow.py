"""What comes in from one peer: into the inbox, then acknowledged."""

from __future__ import annotations

from collections.abc import Callable

from hallway.errors import BadFrame
from hallway.protocol import packed
from hallway.protocol.parcels import Ack, Gap, Parcel, Parcels
from hallway.protocol.receiving import Commit, Receiving
from hallway.runtime.delivery.trouble import Trouble
from hallway.runtime.tasks import TaskSet
from hallway.store import Store

MAX_COMMITS = 4096
"""Commits of one stream that wait for the disk, at most: more than honest messages and gaps within one credit can be."""
HELD_UP = "what came in waits for the store, and its senders with it"
Hand = Callable[[str, int, tuple[Parcel, ...]], None]
"""Takes the peer as it writes its id, the id of the first of its messages in the inbox, and these."""


class Inflow:
    """One stream of one peer. What came while the disk was busy shares its next commit; one that fails is tried until it works.

    ``stored`` is given the messages of each commit, which may be none; ``answer`` sends an acknowledgement, if there is a link.
    """

    def __init__(
        self,
        peer: str,
        receiving: Receiving,
        store: Store,
        tasks: TaskSet,
        trouble: Trouble,
        stored: Hand,
        answer: Callable[[Ack], None],
    ) -> None:
        self.receiving = receiving
        self._peer = peer
        self.peer_name = peer
        """The peer's id as it writes it."""
        self._store = store
        self._tasks = tasks
        self._trouble = trouble
        self._stored = stored
        self._answer = answer
        self._commits: list[Commit] = []
        self._is_busy = False

    def take(self, frame: Parcels | Gap) -> None:
        """A frame of the stream came.

        Raises:
            BadFrame: there is a hole before it, or it is more than was let.

        """
        self._commits += self.receiving.gap(frame) if isinstance(frame, Gap) else self.receiving.parcels(frame)
        if len(self._commits) > MAX_COMMITS:
            raise BadFrame(f"the peer sends more than {MAX_COMMITS} frames before the first of them is stored")
        if self._commits and not self._is_busy:
            self._is_busy = True
            self._tasks.start(self._work(), f"inbox of {self._peer}")

    def waits(self, messages: int, size: int) -> None:
        """So much waits for the application."""
        for ack in self.receiving.waits(messages, size):
            self._answer(ack)

    async def _work(self) -> None:
        commits: list[Commit] = []
        try:
            while self._commits:
                commits, self._commits = _merged(self._commits), []
                while commits:
                    first = await self._store_it(commits[0])
                    self._is_stored(commits.pop(0), first)
        finally:
            # What comes later must not be acknowledged before this: that would acknowledge this too.
            self._commits[:0] = commits
            self._is_busy = False

    def _is_stored(self, commit: Commit, first: int) -> None:
        try:
            self._stored(self.peer_name, first, commit.parcels)
        finally:
            for ack in self.receiving.committed(commit):
                self._answer(ack)

    async def _store_it(self, commit: Commit) -> int:
        items = [(parcel.seq, parcel.id, packed.KIND, parcel.body, 0) for parcel in commit.parcels]
        place = (self._peer, self.receiving.stream, commit.incarnation, commit.upto)
        return await self._trouble.insist(HELD_UP, lambda: self._store.receive(*place, items))


def _merged(commits: list[Commit]) -> list[Commit]:
    """Commits of one incarnation become one."""
    merged: list[Commit] = []
    for each in commits:
        before = merged.pop().parcels if merged and merged[-1].incarnation == each.incarnation else ()
        merged.append(Commit(each.incarnation, each.upto, before + each.parcels))
    return merged
