"""What a sender gets for a message: the id, and the word that the peer has it."""

from __future__ import annotations

import asyncio
import weakref

from hallway.errors import ClosedError, DeliveryFailed, HallwayError

SWEEP_LEAST = 4096
"""Receipts, dropped ones included, of which so many are kept before the dropped are looked for."""


class Receipt:
    """One message to one peer. It is stored; `delivered` waits until it is in the peer's inbox."""

    __slots__ = ("__weakref__", "_done", "_failure", "_outcome", "durable", "id", "peer_id")

    def __init__(self, peer_id: str, message_id: str, *, durable: bool) -> None:
        self.peer_id = peer_id
        self.id = message_id
        self.durable = durable
        self._outcome: asyncio.Future[None] | None = None
        self._failure: HallwayError | None = None
        self._done = False

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
        if not self._done:
            if self._outcome is None:
                self._outcome = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._outcome)
        if self._failure is not None:
            raise self._failure

    def settle(self, failure: HallwayError | None = None) -> None:
        """The message is in the peer's inbox, or never will be."""
        self._done, self._failure = True, failure
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(None)


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
    """The receipts that somebody still holds, by message and peer."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], weakref.ref[Receipt]] = {}
        self._sweep_at = SWEEP_LEAST

    def give(self, peer_id: str, message_id: str) -> Receipt:
        """A receipt for a message that is stored."""
        receipt = Receipt(peer_id, message_id, durable=True)
        self._held[message_id, peer_id.lower()] = weakref.ref(receipt)
        if len(self._held) >= self._sweep_at:
            self._held = {key: held for key, held in self._held.items() if held() is not None}
            self._sweep_at = max(SWEEP_LEAST, 2 * len(self._held))
        return receipt

    def settle(self, peer: str, message_id: str, failure: DeliveryFailed | None = None) -> None:
        """Tell whoever holds the receipt of that message to ``peer`` (lower case)."""
        held = self._held.pop((message_id, peer), None)
        if held is not None and (receipt := held()) is not None:
            receipt.settle(failure)

    def aclose(self) -> None:
        """The device closes: nobody is told any more. Closing twice is silent."""
        held, self._held = self._held, {}
        for (_, peer), reference in held.items():
            if (receipt := reference()) is not None:
                receipt.settle(ClosedError(f"this device was closed before {peer} had the message", hint="a store on disk keeps it"))

    def give_up(self, peer: str, failure: DeliveryFailed) -> None:
        """Tell everybody who holds a receipt of a message to ``peer`` (lower case) that it will not be delivered."""
        for message_id, to in [key for key in self._held if key[1] == peer]:
            self.settle(to, message_id, failure)
