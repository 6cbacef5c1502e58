"""The store as the delivery layer sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from hallway.errors import MisuseError
from hallway.store import inbox, letters, outbox, peers, retrying, survey
from hallway.store.clock import Machine
from hallway.store.engine import Engine, Then
from hallway.store.outbox import Numbered, Order, Single
from hallway.store.values import (
    LARGEST,
    MESSAGE_ID_BYTES,
    MIB,
    START,
    Acked,
    Arrived,
    DeadLetter,
    Direction,
    Expired,
    InboxItem,
    Listed,
    NewMessage,
    OutStream,
    Place,
    Placed,
    Position,
    Queue,
    Quota,
    Retried,
    Usage,
    Waiting,
)

T = TypeVar("T")


def _as_stored(_: object, answers: list[T]) -> list[T]:
    return answers


class Store:
    """The durable outbox and inbox of one device; in memory, with the same promises for as long as the process lives, if it has no path.

    - **Durable.** Every method returns after the commit that holds its change: it outlives a crash and a power cut.
    - **Whole.** An operation is done or not; an error means not. One whose caller is cancelled is done all the same.
    - **In order.** Operations are done in the order in which they were called, and any number may be under way. Use from one loop.
    - **Grouped.** What waits while the disk is busy shares the next commit. An operation that fails takes no other with it.
    - Peer ids are compared without case. Answers hold the lower-case id, or in ``peer_name`` what the peer was last called.

    Every method raises `ClosedError` after `aclose`, `StorageFull` without room (and works again when there is some), `StoreDamaged` when
    the disk or the database is broken, and `StoreBusy` if another program blocks the database for 5 s.
    """

    def __init__(self, engine: Engine, notices: tuple[str, ...]) -> None:
        self.notices = notices
        """What the operator should know of the opening: damage, loss, an older copy."""
        self._engine = engine

    @classmethod
    async def open(cls, path: str | None, *, quota: Quota = Quota(), machine: Machine = Machine()) -> Self:  # noqa: B008 - both are constants
        """Open the store, or make it. Close it with `aclose`.

        Raises:
            StoreBusy: another process has it; names its id.
            StoreUnusable: no such folder, no permission, a newer version's, another program's.
            StorageFull: there is no room to open it.

        """
        engine = Engine(None if path is None else Path(path))
        return cls(engine, await engine.open(quota, machine))

    @property
    def commits(self) -> int:
        """Transactions so far that changed anything."""
        return self._engine.commits

    def put(self, message: NewMessage, to: Sequence[str], then: Then[Order, Placed] = _as_stored) -> asyncio.Future[Any]:
        """Queue a message for each receiver that has room, under the next number of its stream. Receivers share one body.

        ``then`` is called once the message is committed, at once for all that share that commit and this ``then``, and even if no caller
        waits any more; it returns what each caller gets, a value or an exception. By default that is its `Placed`.

        Raises:
            MisuseError: the message id has not 16 bytes.

        """
        _check_id(message.message_id)
        return self._engine.run_with_others(outbox.put, (message, tuple(to)), then)

    def put_one(self, message: NewMessage, to: str, then: Then[Single, Numbered | None] = _as_stored) -> asyncio.Future[Any]:
        """Queue a message for one receiver, if it has room.

        ``then`` is as for `put`. By default the caller gets the message's number and its stream's incarnation, or None: there was no room.

        Raises:
            MisuseError: the message id has not 16 bytes.

        """
        _check_id(message.message_id)
        return self._engine.run_with_others(outbox.put_singles, (message, to), then)

    async def waiting(self, peer: str, stream: str, after: int, *, most: int, most_bytes: int) -> list[Waiting]:
        """What waits behind number ``after``, in order: at least one if there is any, then within the bounds."""
        return await self._engine.run(lambda db: outbox.waiting(db, peer.lower(), stream, after, most, most_bytes))

    async def acked(self, peer: str, stream: str, incarnation: int, upto: int, ranges: Sequence[tuple[int, int]] = ()) -> list[str]:
        """Forget all up to ``upto`` and in ``ranges`` (both ends included); returns the ids of what was still there, in hexadecimal.

        Another incarnation: nothing.
        """
        return await self._engine.run(lambda db: outbox.acked(db, peer.lower(), stream, incarnation, upto, ranges))

    async def bury(self, peer: str, stream: str, seqs: Sequence[int], reason: str) -> list[Acked]:
        """Make dead letters of these; returns those that were there. Their numbers stay used."""
        return await self._engine.run(lambda db: outbox.bury(db, peer.lower(), stream, seqs, reason))

    async def withdraw(self, peer: str, stream: str, seqs: Sequence[int]) -> list[Acked]:
        """Forget these, which go another way; returns those that were there. Their numbers stay used."""
        return await self._engine.run(lambda db: outbox.withdraw(db, peer.lower(), stream, seqs))

    async def expired(self, *, most: int = 1000) -> list[Expired]:
        """Make dead letters of what has expired, at most so many at a time; returns them."""
        return await self._engine.run(lambda db: outbox.expired(db, most))

    async def next_expiry(self) -> int | None:
        """Milliseconds until the next message expires (0 or less: one has), or None if none ever will."""
        return await self._engine.run(outbox.next_expiry)

    async def outgoing(self) -> list[OutStream]:
        """Every stream to every peer that was ever sent anything."""
        return await self._engine.run(outbox.outgoing)

    async def renew(self, peer: str, stream: str) -> tuple[int, int]:
        """Number what waits in a stream anew from 1, in a new incarnation; returns that and the last number."""
        return await self._engine.run(lambda db: outbox.renew(db, peer.lower(), stream))

    async def receive(self, peer: str, stream: str, incarnation: int, upto: int, items: Sequence[Arrived]) -> int:
        """Store at once what came, and that all up to ``upto`` of that incarnation has come. Another incarnation replaces the position.

        Returns the id of the first of the items in the inbox; those of the others follow it.

        Raises:
            MisuseError: ``upto`` or a number is more than 2**63 - 1.

        """
        if max(upto, 0, *[item[0] for item in items]) > LARGEST:
            raise MisuseError(f"a sequence number is at most {LARGEST}")
        return await self._engine.run(lambda db: inbox.receive(db, peer, stream, incarnation, upto, items))

    async def positions(self) -> list[Position]:
        """How far every stream of every peer has been received."""
        return await self._engine.run(inbox.positions)

    async def inbox(self, after: int, *, most: int, most_bytes: int) -> list[InboxItem]:
        """What the application does not have yet, in order of arrival, behind id ``after``.

        At least one if there is any, then within the bounds.
        """
        return await self._engine.run(lambda db: inbox.inbox(db, after, most, most_bytes))

    async def taken(self, ids: Sequence[int]) -> None:
        """The application has these."""
        await self._engine.run(lambda db: inbox.taken(db, ids))

    async def reject(self, id: int, reason: str) -> None:  # noqa: A002 - the column's name
        """Make a dead letter of a message that the application cannot take; silent if there is no such message."""
        await self._engine.run(lambda db: inbox.reject(db, id, reason))

    async def dead(
        self,
        *,
        direction: Direction | None = None,
        peer: str | None = None,
        stream: str | None = None,
        after: int = 0,
        most: int = 100,
        most_bytes: int = 4 * MIB,
    ) -> list[DeadLetter]:
        """The dead letters behind id ``after``, oldest first: at least one if there is any, then within the bounds. None means all."""
        wanted = letters.Filter(direction, _key(peer), stream, after)
        return await self._engine.run(lambda db: letters.dead(db, wanted, most, most_bytes))

    async def retry(self, ids: Sequence[int]) -> Retried:
        """Give dead letters another try where that is possible (they exist, and their peer's quota has room).

        One that was to be sent gets a new number at the end of its stream and no time to live; one that was received is put into the inbox.
        """
        return await self._engine.run(lambda db: retrying.retry(db, ids))

    async def drop(self, ids: Sequence[int]) -> int:
        """Forget dead letters; returns how many there were."""
        return await self._engine.run(lambda db: letters.drop(db, ids))

    async def letter_ids(self, direction: Direction, peer: str | None = None) -> list[int]:
        """The ids of the dead letters of one direction, oldest first. None means every peer."""
        return await self._engine.run(lambda db: survey.letter_ids(db, direction, _key(peer)))

    async def queues(self, direction: Direction, peer: str | None = None) -> list[Queue]:
        """What waits, by peer, those of whom nothing waits left out. Reads every row that waits. None means every peer."""
        return await self._engine.run(lambda db: survey.queues(db, direction, _key(peer)))

    async def listed(
        self, direction: Direction, peer: str | None = None, *, after: Place = START, most: int = 100, body_bytes: int = 4096
    ) -> list[Listed]:
        """The messages that wait behind a place, peer by peer on their way out and in order of arrival in the inbox; at most so many.

        Bodies of more than ``body_bytes`` bytes are left out.
        """
        return await self._engine.run(lambda db: survey.listed(db, direction, _key(peer), after, most, body_bytes))

    async def met(self, peer: str, wall: float) -> None:
        """Remember when (seconds of wall clock) a peer was last seen, and how its id is written."""
        await self._engine.run(lambda db: peers.met(db, peer, wall))

    async def peers(self, since: float) -> list[str]:
        """The peers seen at that time or later, as they write their ids, the latest first."""
        return await self._engine.run(lambda db: peers.peers(db, since))

    async def purge(self, peer: str) -> int:
        """Forget that a peer was met and all that was to go to it; returns how many messages waited.

        What it sent stays, and so do the numbers used so far, on both ways.
        """
        return await self._engine.run(lambda db: peers.purge(db, peer.lower()))

    async def usage(self) -> Usage:
        """How much is kept."""
        return await self._engine.run(peers.usage)

    async def aclose(self) -> None:
        """Commit what waits, close the files and join the writer's thread. Closing twice is silent."""
        await self._engine.aclose()


def _check_id(message_id: bytes) -> None:
    if len(message_id) != MESSAGE_ID_BYTES:
        raise MisuseError(f"a message id has {MESSAGE_ID_BYTES} bytes, not {len(message_id)}")


def _key(peer: str | None) -> str | None:
    return None if peer is None else peer.lower()
