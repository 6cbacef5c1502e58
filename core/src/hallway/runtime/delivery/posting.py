"""Messages on their way into the store, and what follows at once for all that one commit has put there."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

from hallway.errors import OutboxFull
from hallway.protocol import packed
from hallway.protocol.parcels import Parcel
from hallway.runtime.delivery.receipts import Receipt, Receipts
from hallway.store import NewMessage, Numbered, Order, Placed, Single, Store

Posted = Callable[[str, int, list[Parcel]], None]
"""Is told a peer (lower-case id), the incarnation of its stream, and what is stored for it now, in the order of the numbers."""


class _Fresh:
    """What was stored by one commit, by receiver (lower-case id)."""

    def __init__(self, posted: Posted) -> None:
        self._posted = posted
        self._parcels: dict[str, list[Parcel]] = {}
        self._incarnations: dict[str, int] = {}

    def add(self, peer: str, seq: int, incarnation: int, message: NewMessage) -> None:
        """One more, with a higher number than those to the same receiver before."""
        if peer not in self._parcels:
            self._parcels[peer], self._incarnations[peer] = [], incarnation
        message_id, body, _, _, ttl_ms = message
        self._parcels[peer].append(Parcel(seq, message_id, ttl_ms, body))

    def tell(self) -> None:
        """Say what there is for each."""
        for peer, parcels in self._parcels.items():
            self._posted(peer, self._incarnations[peer], parcels)


class Posting:
    """Stores messages under new ids. ``expires`` is called for each with a time to live, ``posted`` for what a commit has stored."""

    def __init__(self, store: Store, receipts: Receipts, expires: Callable[[], None], posted: Posted) -> None:
        self._store = store
        self._receipts = receipts
        self._expires = expires
        self._posted = posted
        self._prefix, self._numbers = random.randbytes(8), count(1)

    async def put(self, body: bytes, to: Sequence[str], ttl_ms: int | None = None) -> tuple[list[Receipt], tuple[str, ...]]:
        """Store a message for each of these peers, and send it while there is a link; returns receipts, and whose outbox is full.

        Raises:
            StoreError: it is not stored, for nobody.

        """
        stored: tuple[list[Receipt], tuple[str, ...]] = await self._store.put(self._message(body, ttl_ms), to, self._stored)
        return stored

    def put_one(self, body: bytes, peer_id: str, ttl_ms: int | None = None) -> Awaitable[Receipt]:
        """Store a message for one peer. One whose caller is cancelled is stored, and sent, all the same.

        Raises:
            OutboxFull: too much waits for that peer already.
            StoreError: it is not stored.

        """
        return self._store.put_one(self._message(body, ttl_ms), peer_id, self._stored_singles)

    def _message(self, body: bytes, ttl_ms: int | None) -> NewMessage:
        if ttl_ms is not None:
            self._expires()
        return NewMessage(self._prefix + next(self._numbers).to_bytes(8, "big"), body, packed.KIND, "", ttl_ms)

    def _stored_singles(self, singles: Sequence[Single], numbered: Sequence[Numbered | None]) -> list[Receipt | OutboxFull]:
        """Send what was stored by one commit, so that it shares frames; returns receipts, and `OutboxFull` for what was not."""
        outcomes: list[Receipt | OutboxFull] = []
        fresh = _Fresh(self._posted)
        for (message, peer_id), number in zip(singles, numbered, strict=True):
            if number is None:
                outcomes.append(OutboxFull([peer_id]))
            else:
                fresh.add(peer_id.lower(), *number, message)
                outcomes.append(self._receipts.give(peer_id, message.message_id.hex()))
        fresh.tell()
        return outcomes

    def _stored(self, orders: Sequence[Order], placed: Sequence[Placed]) -> list[tuple[list[Receipt], tuple[str, ...]]]:
        """Send what was stored; returns for each message receipts, and whose outbox is full."""
        outcomes: list[tuple[list[Receipt], tuple[str, ...]]] = []
        fresh = _Fresh(self._posted)
        for (message, to), (seqs, full, incarnations) in zip(orders, placed, strict=True):
            names = {name.lower(): name for name in to}
            message_id = message.message_id.hex()
            receipts = [self._receipts.give(names[peer], message_id) for peer in seqs]
            outcomes.append((receipts, tuple(names[peer] for peer in full)))
            for peer, seq in seqs.items():
                fresh.add(peer, seq, incarnations[peer], message)
        fresh.tell()
        return outcomes
