"""What the application sends: packed, then over the link or by way of the outbox."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from hallway.errors import BadMessage, MessageTooLarge, PeerUnavailable
from hallway.protocol import packed, weights
from hallway.protocol.batches import Maker
from hallway.protocol.chunks import MAX_MESSAGE
from hallway.runtime.delivery.layer import Delivery
from hallway.runtime.delivery.lifetimes import milliseconds
from hallway.runtime.delivery.receipts import Broadcast, Receipt
from hallway.runtime.links.driver import LinkDriver
from hallway.runtime.links.links import Links
from hallway.runtime.publishing.publisher import Publisher

KEPT_FRAMES = 16
"""Frames of messages to everybody that are kept for links that are a little behind."""


class Sender:
    """One device's."""

    def __init__(self, links: Links, delivery: Delivery, publisher: Publisher) -> None:
        self._links = links
        self._delivery = delivery
        self._publisher = publisher
        self._shared = Maker(random.getrandbits(64), KEPT_FRAMES)

    async def send(self, peer_id: str, message: Any, *, durable: bool, ttl: float | None) -> Receipt:
        """Send one message to one peer.

        Raises:
            MisuseError: ``ttl`` is none.
            BadMessage, MessageTooLarge, PeerUnavailable, OutboxFull, StoreError: it was not sent.

        """
        body, ttl_ms = _packed(message), None if ttl is None else milliseconds(ttl)
        if not durable or not self._delivery.stores(peer_id):
            channel = self._links.get(peer_id).channel
            message_id = channel.send_now(body) or await channel.send(body)
            self._publisher.sent(peer_id, message_id, message)
            return Receipt(peer_id, message_id, durable=False)
        link = self._links.find(peer_id)
        if link is not None:
            link.channel.check(body)
        if link is None and not await self._delivery.acquaintances.includes(peer_id):
            raise PeerUnavailable(f"nothing is known of a peer {peer_id}", hint="wait for peer-found, then send again")
        receipt = await self._delivery.posting.put_one(body, peer_id, ttl_ms)
        self._publisher.sent(peer_id, receipt.id, message)
        return receipt

    async def broadcast(self, message: Any, *, durable: bool, ttl: float | None) -> Broadcast:
        """Send one message to every peer that is linked or was lately.

        Raises:
            MisuseError: ``ttl`` is none.
            BadMessage, MessageTooLarge, StoreError: it was not sent.

        """
        body, ttl_ms = _packed(message), milliseconds(ttl)
        for link in self._links.open():
            link.channel.check(body)
        at_once = [link for link in self._links.open() if not durable or not self._delivery.stores(link.peer_id)]
        # What cannot be stored for some must not have gone to others: its sender would send it again.
        receipts, full = await self._store(body, message, at_once, ttl_ms) if durable else ([], ())
        ids = await self._broadcast(body, message, [link for link in at_once if link.open is not None])
        return Broadcast((*receipts, *(Receipt(peer_id, message_id, durable=False) for peer_id, message_id in ids.items())), full)

    async def _store(self, body: bytes, message: Any, but: list[LinkDriver], ttl_ms: int | None) -> tuple[list[Receipt], tuple[str, ...]]:
        """Store it for everybody ``but`` those; returns receipts, and whose outbox is full."""
        names = (*await self._delivery.acquaintances.names(), *(link.peer_id for link in self._links.open()))
        to = {each.lower(): each for each in names}
        for link in but:
            to.pop(link.peer_id.lower(), None)
        receipts, full = await self._delivery.posting.put(body, list(to.values()), ttl_ms) if to else ([], ())
        for receipt in receipts:
            self._publisher.sent(receipt.peer_id, receipt.id, message)
        return receipts, full

    async def _broadcast(self, body: bytes, message: Any, links: list[LinkDriver]) -> dict[str, str]:
        """Send it to those, and keep nothing; returns its id for each peer that took it. Who has no room is waited for, side by side."""
        number = self._shared.number()
        message_id = self._shared.id(number)
        crowded = [link for link in links if not link.channel.send_shared(self._shared, number, body)]
        ids = {link.peer_id: message_id for link in links if link not in crowded}
        if crowded:
            ids |= await self._send_side_by_side(body, crowded)
        for peer_id, its_id in ids.items():
            self._publisher.sent(peer_id, its_id, message)
        return ids

    async def _send_side_by_side(self, body: bytes, links: list[LinkDriver]) -> dict[str, str]:
        outcomes = await asyncio.gather(*(link.channel.send(body) for link in links), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, PeerUnavailable):
                raise outcome
        return {link.peer_id: outcome for link, outcome in zip(links, outcomes, strict=True) if isinstance(outcome, str)}


def _packed(message: Any) -> bytes:
    try:
        body = packed.pack(message)
    except packed.BadValue as error:
        raise BadMessage(str(error), hint="send what json.dumps takes, without NaN, or bytes") from error
    if len(body) > MAX_MESSAGE:
        raise MessageTooLarge(f"the message has {len(body)} bytes as MessagePack; {MAX_MESSAGE} are allowed", hint="split it")
    if len(body) > packed.LARGE and packed.weight(body) > weights.MAX_WEIGHT:
        raise MessageTooLarge("the message holds so many values that they fill the receiver's memory", hint="split it, or send it as bytes")
    return body
