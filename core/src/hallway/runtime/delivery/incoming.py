"""What comes in from all peers: their streams, and the credit that these share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from hallway.errors import BadFrame
from hallway.protocol.parcels import Ack, Credit, Gap, Parcel, Parcels
from hallway.protocol.receiving import Receiving
from hallway.runtime.delivery.inflow import Hand, Inflow
from hallway.runtime.delivery.trouble import Trouble
from hallway.runtime.tasks import TaskSet
from hallway.store import Store

WINDOW = Credit(4096, 4 * 1024 * 1024)
"""What a peer may have on the way to us that we have not acknowledged."""
MAX_STREAMS = 8
"""Streams that one peer may send, at most: what lies in memory on the way to the disk, and each position for ever, is bounded by it."""


class Incoming:
    """``hand`` is given what has come into the inbox; ``answer`` sends an acknowledgement to a peer, if there is a link."""

    def __init__(self, store: Store, tasks: TaskSet, trouble: Trouble, hand: Hand, answer: Callable[[str, Ack], None]) -> None:
        self._store = store
        self._tasks = tasks
        self._trouble = trouble
        self._hand = hand
        self._answer = answer
        self._inflows: dict[tuple[str, str], Inflow] = {}
        self._waiting, self._waiting_bytes = 0, 0

    async def start(self) -> None:
        """Read from the store how far every stream is, and what waits for the application."""
        self._waiting, self._waiting_bytes = (await self._store.usage()).inbox
        for position in await self._store.positions():
            receiving = Receiving(position.stream, WINDOW, position.incarnation, position.upto)
            receiving.waits(self._waiting, self._waiting_bytes)
            self._inflow(position.peer, receiving)

    def hello(self, peer: str) -> dict[str, Any]:
        """What a HELLO says: what is here of the peer's streams, and how much may come."""
        mine = list(self._of(peer))
        for each in mine:
            each.greet()
        credit = WINDOW.without(self._waiting, self._waiting_bytes)
        if not mine:
            # A stream that has not begun cannot be told later that there is room.
            credit = Credit(max(1, credit.messages), max(1, credit.bytes))
        return {"positions": [[each.stream, each.incarnation, each.upto] for each in mine], "credit": list(credit)}

    def acknowledgements(self, peer: str) -> list[Ack]:
        """What a channel that has just opened has to be told: since its HELLO more may have come, and what told it may be lost."""
        return [ack for receiving in self._of(peer) for ack in receiving.acknowledgement()]

    def take(self, peer_id: str, frame: Parcels | Gap) -> None:
        """Messages have come, or the word that they never will.

        Raises:
            BadFrame: it breaks the protocol.

        """
        peer = peer_id.lower()
        inflow = self._inflows.get((peer, frame.stream))
        if inflow is None:
            if len(list(self._of(peer))) >= MAX_STREAMS:
                raise BadFrame(f"{peer} sends more than {MAX_STREAMS} streams")
            inflow = self._inflow(peer, Receiving(frame.stream, WINDOW))
        inflow.peer_name = peer_id
        inflow.take(frame)

    def holds_more(self, messages: int, size: int) -> None:
        """So much more waits for the application."""
        self._wait_for(messages, size)

    def let_go(self, messages: int, size: int) -> None:
        """So much waits no more."""
        self._wait_for(-messages, -size)

    def _of(self, peer: str) -> Iterator[Receiving]:
        return (inflow.receiving for (whose, _), inflow in self._inflows.items() if whose == peer)

    def _inflow(self, peer: str, receiving: Receiving) -> Inflow:
        answer = partial(self._answer, peer)
        inflow = Inflow(peer, receiving, self._store, self._tasks, self._trouble, self._stored, answer)
        self._inflows[peer, receiving.stream] = inflow
        return inflow

    def _stored(self, peer_name: str, first: int, parcels: tuple[Parcel, ...]) -> None:
        if parcels:
            self._wait_for(len(parcels), sum([len(parcel.body) for parcel in parcels]))
            self._hand(peer_name, first, parcels)

    def _wait_for(self, messages: int, size: int) -> None:
        self._waiting += messages
        self._waiting_bytes += size
        for inflow in self._inflows.values():
            inflow.waits(self._waiting, self._waiting_bytes)
