"""What waits for a device that turns out to have no inbox: it goes out at once, each message at most once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

import attrs

from hallway.errors import BadMessage, HallwayError, MessageTooLarge, PeerUnavailable
from hallway.runtime.delivery.outcomes import Outcomes
from hallway.runtime.delivery.trouble import Trouble
from hallway.store import Store, Waiting

logger = logging.getLogger(__name__)

MOST, MOST_BYTES = 32, 64 * 1024
"""Messages, and bytes of them, that are let go of at a time: a link that breaks in this moment may lose them."""
T = TypeVar("T")
HELD_UP = "what waits for a device without an inbox cannot be fetched"


class PlainLink(Protocol):
    """An open link to a device without a delivery layer."""

    async def send(self, body: bytes) -> str:
        """Send one message.

        Raises:
            PeerUnavailable: the link is gone.

        """

    def check(self, body: bytes) -> None:
        """See whether the device takes it.

        Raises:
            MessageTooLarge, BadMessage: it does not.

        """


@attrs.define
class PlainOutbox:
    """The streams to one peer, which go into its link. One at a time empties them, however often the link comes and goes."""

    peer: str
    _store: Store
    _outcomes: Outcomes
    _trouble: Trouble
    is_busy: bool = False
    """Whether something may wait that goes before what is sent now."""
    _link: PlainLink | None = None
    _streams: Sequence[str] = ()
    _more: bool = False

    @property
    def is_up(self) -> bool:
        """Whether there is a link."""
        return self._link is not None

    def up(self, link: PlainLink) -> None:
        """There is a link; `ask` follows."""
        self._link = link

    def down(self) -> None:
        """The link is gone, or the device has an inbox after all."""
        self._link = None

    def ask(self, streams: Sequence[str]) -> bool:
        """Something may wait in these streams. Returns whether `empty` has to be started: one that goes on does this along."""
        if not streams or self._link is None:
            return False
        self._streams, self._more = streams, True
        begins, self.is_busy = not self.is_busy, True
        return begins

    async def empty(self) -> None:
        """Send what waits until nothing does, or the link is gone."""
        try:
            while self._more and self._link is not None:
                self._more = False
                try:
                    for stream in self._streams:
                        await self._empty(stream)
                except HallwayError as error:
                    logger.info("the link to %s has gone down, and what still waits for it waits on: %s", self.peer, error)
        finally:
            self.is_busy = False

    async def _empty(self, stream: str) -> None:
        after = 0
        while rows := await self._insist(partial(self._store.waiting, self.peer, stream, after, most=MOST, most_bytes=MOST_BYTES)):
            after = rows[-1].seq
            await self._pass_on(stream, [row for row in rows if await self._fits(stream, row)])

    async def _fits(self, stream: str, row: Waiting) -> bool:
        """Whether the message can go; what the device cannot take is buried, what has expired is left to be."""
        if row.ttl_left_ms is not None and row.ttl_left_ms <= 0:
            return False
        try:
            self._linked().check(row.body)
        except (BadMessage, MessageTooLarge) as error:
            objection = str(error)
            buried = await self._insist(lambda: self._store.bury(self.peer, stream, [row.seq], objection))
            self._outcomes.undelivered(self.peer, buried, objection)
            return False
        return True

    async def _pass_on(self, stream: str, rows: list[Waiting]) -> None:
        """Let go of these, then send them: after a crash in between they are lost, and none comes twice."""
        seqs = [row.seq for row in rows]
        withdrawn = await self._insist(lambda: self._store.withdraw(self.peer, stream, seqs))
        self._outcomes.let_go(self.peer, withdrawn)
        ours = {each.seq for each in withdrawn}
        for row in rows:
            if row.seq in ours:
                await self._linked().send(row.body)

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do ``work`` until the store does it, but for a link that is gone: over the next one the device may have an inbox."""

        def while_linked() -> Awaitable[T]:
            self._linked()
            return work()

        return await self._trouble.insist(HELD_UP, while_linked)

    def _linked(self) -> PlainLink:
        if self._link is None:
            raise PeerUnavailable(f"the link to {self.peer} has gone down", hint="wait for peer-connected")
        return self._link
