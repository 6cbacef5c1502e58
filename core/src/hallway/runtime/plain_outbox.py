"""What waits for a device that turns out to have no inbox: it goes out at once, each message at most once."""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import partial
from typing import Protocol

import attrs

from hallway.errors import BadMessage, DeliveryFailed, HallwayError, MessageTooLarge
from hallway.events import ErrorHappened
from hallway.runtime.publisher import Publisher
from hallway.runtime.receipts import Receipts
from hallway.runtime.trouble import Trouble
from hallway.store import Store, Waiting

logger = logging.getLogger(__name__)

MOST, MOST_BYTES = 32, 64 * 1024
"""Messages, and bytes of them, that are let go of at a time: a link that breaks in this moment may lose them."""
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
    """The streams to one peer, which go into its link."""

    peer: str
    _link: PlainLink
    _store: Store
    _receipts: Receipts
    _publisher: Publisher
    _trouble: Trouble
    is_busy: bool = False
    _more: bool = False

    async def empty(self, streams: Collection[str]) -> None:
        """Send what waits until nothing does, or the link is gone. What is asked for while that goes on is done along."""
        self._more = True
        if self.is_busy:
            return
        self.is_busy = True
        try:
            while self._more:
                self._more = False
                for stream in streams:
                    await self._empty(stream)
        except HallwayError as error:
            logger.info("the link to %s has gone down, and what still waits for it waits on: %s", self.peer, error)
        finally:
            self.is_busy = False

    async def _empty(self, stream: str) -> None:
        after = 0
        while rows := await self._trouble.insist(
            HELD_UP, partial(self._store.waiting, self.peer, stream, after, most=MOST, most_bytes=MOST_BYTES)
        ):
            after = rows[-1].seq
            fits: list[Waiting] = []
            for row in rows:
                if row.ttl_left_ms is not None and row.ttl_left_ms <= 0:
                    continue
                try:
                    self._link.check(row.body)
                except (BadMessage, MessageTooLarge) as error:
                    await self._bury(stream, row, str(error))
                else:
                    fits.append(row)
            await self._pass_on(stream, fits)

    async def _pass_on(self, stream: str, rows: list[Waiting]) -> None:
        """Let go of these, then send them: after a crash in between they are lost, and none comes twice."""
        seqs = [row.seq for row in rows]
        await self._trouble.insist(HELD_UP, lambda: self._store.withdraw(self.peer, stream, seqs))
        for row in rows:
            message_id = row.message_id.hex()
            failure = DeliveryFailed(f"{self.peer} has no inbox: the message went out, and nobody tells whether it has arrived")
            self._receipts.settle(self.peer, message_id, failure)
        for row in rows:
            await self._link.send(row.body)

    async def _bury(self, stream: str, row: Waiting, objection: str) -> None:
        await self._trouble.insist(HELD_UP, lambda: self._store.bury(self.peer, stream, [row.seq], objection))
        message_id = row.message_id.hex()
        text = f"the message {message_id} to {self.peer} was given up: {objection}"
        self._receipts.settle(self.peer, message_id, DeliveryFailed(text))
        self._publisher.publish(ErrorHappened("dead-letter", text, "the store keeps it as a dead letter; send it in another form"))
