"""What a sender gets for a message: the id, and the word that the peer has it."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable
from typing import Literal

from hallway.errors import ClosedError, DeliveryFailed, HallwayError

SWEEP_LEAST = 4096
"""Receipts that are given before the dropped ones are looked for, at least."""


class Receipt:
    """One message to one peer. It is stored; `delivered` waits until it is in the peer's inbox."""

    __slots__ = ("__weakref__", "_outcome", "durable", "id", "peer_id")

    def __init__(self, peer_id: str, message_id: str, *, durable: bool) -> None:
        self.peer_id = peer_id
        self.id = message_id
        self.durable = durable
        self._outcome: asyncio.Future[None] | HallwayError | Literal["delivered"] | None = None
        """What has become of it; the future of those who wait for that; None while nobody does."""

    def __repr__(self) -> str:
        return f"Receipt({self.peer_id!r}, {self.id!r})"

    async def delivered(self) -> None:
        """Wait until the peer has acknowledged the message: it is in its inbox for good. Any number of tasks may wait.

        Raises:
            DeliveryFailed: it never will be: it has expired, was refused or taken back, or was sent with ``durable=False``.
            ClosedError: this device was closed before the peer had it.

        """
        if not self.durable:
            raise DeliveryFailed(f"nobody tells whether the message to {self.peer_id} has arrived", hint="send it with durable=True")
        if self._outcome is None:
            self._outcome = asyncio.get_running_loop().create_future()
        if isinstance(self._outcome, asyncio.Future):
            await asyncio.shield(self._outcome)
        if isinstance(self._outcome, HallwayError):
            raise self._outcome

    def settle(self, failure: HallwayError | None = None) -> None:
        """The message is in the peer's inbox, or never will be."""
        waited_for, self._outcome = self._outcome, failure or "delivered"
        if isinstance(waited_for, asyncio.Future) and not waited_for.done():
            waited_for.set_result(None)


class Broadcast:
    """One message to many peers: a receipt for each, and in ``full`` those for whom too much waits already."""

    def __init__(self, receipts: tuple[Receipt, ...], full: tuple[str, ...] = ()) -> None:
        self.receipts = receipts
        self.full = full

    @property
    def ids(self) -> dict[str, str]:
        """The message's id for each peer."""
        return {receipt.peer_id: receipt.id for receipt in self.receipts}

    async def delivered(self) -> None:
        """Wait until every peer has acknowledged it.

        Raises:
            DeliveryFailed: to one of them it never will be delivered.

        """
        for receipt in self.receipts:
            await receipt.delivered()


class Receipts:
    """The receipts that somebody still holds, by peer (lower case) and message."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, weakref.ref[Receipt]]] = {}
        self._given = 0
        self._sweep_at = SWEEP_LEAST

    def give(self, peer_id: str, message_id: str) -> Receipt:
        """A receipt for a message that is stored."""
        receipt = Receipt(peer_id, message_id, durable=True)
        peer = peer_id.lower()
        held = self._held.get(peer)
        if held is None:
            held = self._held[peer] = {}
        held[message_id] = weakref.ref(receipt)
        self._given += 1
        if self._given >= self._sweep_at:
            self._sweep()
        return receipt

    def settle(self, peer: str, message_ids: Iterable[str], failure: DeliveryFailed | None = None) -> None:
        """Tell whoever holds the receipts of these messages to ``peer`` (lower case)."""
        held = self._held.get(peer, {})
        for message_id in message_ids:
            reference = held.pop(message_id, None)
            if reference is not None and (receipt := reference()) is not None:
                receipt.settle(failure)

    def aclose(self) -> None:
        """The device closes: nobody is told any more. Closing twice is silent."""
        held, self._held = self._held, {}
        for peer, references in held.items():
            for reference in references.values():
                if (receipt := reference()) is not None:
                    receipt.settle(ClosedError(f"this device was closed before {peer} had the message", hint="a store on disk keeps it"))

    def give_up(self, peer: str, failure: DeliveryFailed) -> None:
        """Tell everybody who holds a receipt of a message to ``peer`` (lower case) that it will not be delivered."""
        self.settle(peer, list(self._held.get(peer, {})), failure)

    def _sweep(self) -> None:
        """Forget the receipts that were dropped, once as many were given since the last time as were left then."""
        swept = {peer: {key: held for key, held in each.items() if held() is not None} for peer, each in self._held.items()}
        self._held = {peer: each for peer, each in swept.items() if each}
        self._given, self._sweep_at = 0, max(SWEEP_LEAST, sum(map(len, self._held.values())))
