"""What becomes of stored messages: told to whoever holds the receipt, and to whoever listens to events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hallway.errors import DeliveryFailed
from hallway.events import Delivered, Undelivered
from hallway.runtime.delivery.receipts import Receipts
from hallway.runtime.publishing.publisher import Publisher
from hallway.store import EXPIRED, Acked


class Outcomes:
    """One device's. Peers are lower-case ids."""

    def __init__(self, receipts: Receipts, publisher: Publisher) -> None:
        self._receipts = receipts
        self._publisher = publisher

    def delivered(self, peer: str, message_ids: Sequence[str]) -> None:
        """These, by their ids, are in the peer's inbox for good."""
        self._receipts.settle(peer, message_ids)
        if self._publisher.is_heard(Delivered.name):
            for message_id in message_ids:
                self._publisher.publish(Delivered(peer, message_id))

    def undelivered(self, peer: str, buried: Iterable[Acked], reason: str) -> None:
        """These are dead letters now."""
        hint = "give it more time to live" if reason == EXPIRED else "`hallway outbox` shows it; send it in another form"
        for each in buried:
            message_id = each.message_id.hex()
            failure = DeliveryFailed(f"the message {message_id} to {peer} is a dead letter: {reason}", hint=hint)
            self._receipts.settle(peer, [message_id], failure)
            self._publisher.publish(Undelivered(peer, message_id, reason))

    def let_go(self, peer: str, withdrawn: Iterable[Acked]) -> None:
        """These go to a device that acknowledges nothing."""
        for each in withdrawn:
            failure = DeliveryFailed(f"{peer} has no inbox: the message went out, and nobody tells whether it has arrived")
            self._receipts.settle(peer, [each.message_id.hex()], failure)
