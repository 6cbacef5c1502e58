"""Durable messages: stored before they are sent, sent while there is a link, forgotten when the peer has them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import attrs

from hallway.errors import BadFrame, DeliveryFailed, StoreError
from hallway.protocol.parcels import Ack, DeliveryFrame, Gap, Nak, Parcel, Parcels, encode
from hallway.protocol.sending import Forget, Load, Renew, SendEffect, Sending, Transmit
from hallway.runtime.delivery.acquaintances import Acquaintances
from hallway.runtime.delivery.expiry import Expiry
from hallway.runtime.delivery.handing import Handing
from hallway.runtime.delivery.incoming import Incoming
from hallway.runtime.delivery.lines import Line, Send, read_line
from hallway.runtime.delivery.outcomes import Outcomes
from hallway.runtime.delivery.plain_outbox import PlainLink, PlainOutbox
from hallway.runtime.delivery.posting import Posting
from hallway.runtime.delivery.receipts import Receipts
from hallway.runtime.delivery.replies import Replies
from hallway.runtime.delivery.trouble import Trouble
from hallway.runtime.publishing.publisher import Publisher
from hallway.runtime.tasks import TaskSet
from hallway.store import Store

logger = logging.getLogger(__name__)

SECTION = "delivery"
"""The section of HELLO that belongs to the delivery layer."""


class Delivery:
    """One device's. All methods run in the event loop's thread. ``remembered``: seconds for which a peer that is away counts as known."""

    def __init__(self, store: Store, publisher: Publisher, tasks: TaskSet, remembered: float) -> None:
        self._store = store
        self._tasks = tasks
        self._receipts = Receipts()
        self._outcomes = Outcomes(self._receipts, publisher)
        self._trouble = Trouble(publisher)
        self.acquaintances = Acquaintances(store, self._trouble, remembered)
        """Who was linked lately."""
        self._expiry = Expiry(store, self._outcomes, self._trouble)
        self._replies = Replies(store, self._outcomes, self._trouble, tasks)
        self._incoming = Incoming(store, tasks, self._trouble, self._hand, self._answer)
        self._handing = Handing(store, publisher, self._trouble, self._incoming.let_go)
        self._lines: dict[str, Line] = {}
        self._plain: dict[str, PlainOutbox] = {}
        self._sendings: dict[tuple[str, str], Sending] = {}
        self.posting = Posting(store, self._receipts, self._expiry.news, self._posted)
        """Where messages are stored."""
        self._later: dict[tuple[str, str], int] = {}
        """How far streams went on in an incarnation that is not known here yet."""
        self._renewing: set[tuple[str, str]] = set()
        self._settled = asyncio.Event()

    async def start(self) -> None:
        """Read from the store how far every stream is."""
        for out in await self._store.outgoing():
            self._sendings[out.peer, out.stream] = Sending(out.stream, out.incarnation, out.last)
        await self._incoming.start()

    async def run(self) -> None:
        """Hand the inbox out and let the time pass; cancel it to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._handing.run(), name="inbox")
            group.create_task(self._expiry.run(), name="expiry")

    # The application.

    def stores(self, peer_id: str) -> bool:
        """Whether what is sent to that peer is stored first: not if it has a link and no inbox, and nothing waits for it."""
        peer = peer_id.lower()
        plain = self._plain.get(peer)
        return plain is None or not plain.is_up or plain.is_busy

    def _posted(self, peer: str, incarnation: int, parcels: list[Parcel]) -> None:
        """Send what was stored by one commit."""
        sending = self._sending(peer, incarnation)
        if sending.incarnation == incarnation:
            self._do(peer, sending, sending.placed(parcels))
        else:
            self._later[peer, ""] = parcels[-1].seq
        self._empty(peer)

    def _sending(self, peer: str, incarnation: int) -> Sending:
        """The stream to a peer; with its first message it has an incarnation."""
        sending = self._sendings.get((peer, ""))
        if sending is None:
            sending = self._sendings[peer, ""] = Sending("", incarnation)
            if (line := self._lines.get(peer)) is not None:
                self._send_over(line, peer, sending)
        return sending

    async def purge(self, peer_id: str) -> None:
        """Delete what waits for that peer, which will never have it."""
        peer = peer_id.lower()
        try:
            count = await self._store.purge(peer)
        except StoreError as error:
            logger.warning("what waits for %s is not deleted: %s", peer_id, error)
            return
        self.acquaintances.changed()
        self._receipts.give_up(peer, DeliveryFailed(f"{peer_id} is revoked, and what waited for it is deleted"))
        if count:
            logger.warning("%d messages that waited for %s are deleted", count, peer_id)

    async def retry(self, letters: Sequence[int]) -> int:
        """Give dead letters another try: send them, or hand them out; returns for how many that was possible.

        Raises:
            StoreError: for none.

        """
        again = await self._store.retry(letters)
        for (peer, stream), last in again.streams.items():
            sending = self._sendings[peer, stream]
            self._do(peer, sending, sending.grown(last))
            self._empty(peer)
        if again.received:
            self._incoming.holds_more(again.received, again.received_bytes)
            self._handing.more()
        return again.count

    async def settle(self, deadline: float) -> None:
        """Wait until the peers with a link have everything, or the deadline."""
        try:
            async with asyncio.timeout_at(deadline):
                while self._is_unsettled():
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            logger.info("some messages wait for the next start, or are lost with this process if there is no store")

    def _is_unsettled(self) -> bool:
        waits = (sending.acked < sending.last for (peer, _), sending in self._sendings.items() if peer in self._lines)
        return any(waits) or any(plain.is_up and plain.is_busy for plain in self._plain.values())

    async def aclose(self) -> None:
        """Note what the application has dealt with, and close the store."""
        try:
            await self._handing.settle()
        except StoreError as error:
            logger.warning("messages that the application had are handed out again after the next start: %s", error)
        await self._store.aclose()
        self._receipts.aclose()

    # The links.

    def hello(self, peer_id: str) -> dict[str, Any]:
        """Our section of the HELLO to that peer: what we have of its streams, and how much may come."""
        return self._incoming.hello(peer_id.lower())

    def up(self, peer_id: str, section: Any, send: Send, max_frame: int) -> None:
        """A channel to the peer is open; ``section`` is that of its HELLO.

        ``send`` takes frames of at most ``max_frame`` bytes.

        Raises:
            BadFrame: it is malformed.

        """
        peer = peer_id.lower()
        line = self._lines[peer] = read_line(section, send, max_frame)
        self._leave_plain(peer)
        self._tasks.start(self.acquaintances.meet(peer_id), f"meet {peer_id}")
        for (whose, _), sending in self._sendings.items():
            if whose == peer:
                self._send_over(line, peer, sending)
        for ack in self._incoming.acknowledgements(peer):
            send(encode(ack))

    def up_plain(self, peer_id: str, link: PlainLink) -> None:
        """A channel to a peer without a delivery layer is open: what waits for it goes out."""
        self.down(peer_id)
        peer = peer_id.lower()
        if peer not in self._plain:
            self._plain[peer] = PlainOutbox(peer, self._store, self._outcomes, self._trouble)
        self._plain[peer].up(link)
        self._tasks.start(self.acquaintances.meet(peer_id), f"meet {peer_id}")
        self._empty(peer)

    def down(self, peer_id: str) -> None:
        """The link is gone."""
        peer = peer_id.lower()
        self._lines.pop(peer, None)
        self._leave_plain(peer)
        for (whose, _), sending in self._sendings.items():
            if whose == peer:
                sending.down()
        self._settled.set()

    def _leave_plain(self, peer: str) -> None:
        """The peer has no link without an inbox any more. One outbox at a time empties what waits: one that is busy is kept."""
        if (plain := self._plain.get(peer)) is not None:
            plain.down()
            if not plain.is_busy:
                del self._plain[peer]

    def received(self, peer_id: str, frame: DeliveryFrame) -> None:
        """A frame came over the open link.

        Raises:
            BadFrame: it breaks the protocol.

        """
        peer = peer_id.lower()
        if peer not in self._lines:
            raise BadFrame(f"{peer_id} has no delivery layer, by its HELLO, and sends a frame of one")
        if isinstance(frame, Parcels | Gap):
            self._incoming.take(peer_id, frame)
        elif (sending := self._sendings.get((peer, frame.stream))) is not None:
            self._replied(peer_id, sending, frame)
        elif frame.stream not in self._lines[peer].positions:
            raise _unsent(peer_id, frame)
        elif isinstance(frame, Ack):
            # Its HELLO told of what a store of ours that is lost has sent: of that it can only say that there is room again.
            self._lines[peer] = attrs.evolve(self._lines[peer], credit=frame.credit)

    def _replied(self, peer_id: str, sending: Sending, frame: Ack | Nak) -> None:
        peer = peer_id.lower()
        if isinstance(frame, Ack):
            self._do(peer, sending, sending.acknowledged(frame))
            self._settled.set()
        elif frame.incarnation != sending.incarnation:
            logger.debug("%s refuses a message of a stream that was renewed", peer_id)
        elif sending.has_sent(frame.seq):
            self._replies.refused(peer, frame)
        else:
            raise _unsent(peer_id, frame)

    # What follows.

    def _send_over(self, line: Line, peer: str, sending: Sending) -> None:
        """Go on behind what the peer has of the stream."""
        incarnation, upto = line.positions.get(sending.stream, (0, 0))
        self._do(peer, sending, sending.up(upto if incarnation == sending.incarnation else 0, line.credit, line.max_frame))

    def _do(self, peer: str, sending: Sending, effects: list[SendEffect]) -> None:
        for effect in effects:
            match effect:
                case Transmit(frame):
                    self._lines[peer].send(encode(frame))
                case Load():
                    self._tasks.start(self._load(peer, sending, effect), f"outbox of {peer}")
                case Forget(upto, ranges):
                    self._replies.acknowledged(peer, sending.stream, sending.incarnation, upto, ranges)
                case Renew():
                    self._tasks.start(self._renew(peer, sending), f"renew for {peer}")

    def _empty(self, peer: str) -> None:
        """Let what waits for a peer without an inbox go."""
        plain = self._plain.get(peer)
        if plain is not None and plain.ask([stream for whose, stream in self._sendings if whose == peer]):
            self._tasks.start(self._empty_plain(peer, plain), f"plain outbox of {peer}")

    async def _empty_plain(self, peer: str, plain: PlainOutbox) -> None:
        # What it acknowledged while it had an inbox does not wait for it any more, although the store may not know yet.
        for stream in [stream for whose, stream in self._sendings if whose == peer]:
            await self._replies.settled(peer, stream)
        await plain.empty()
        if not plain.is_up:
            self._plain.pop(peer, None)
        self._settled.set()

    async def _load(self, peer: str, sending: Sending, load: Load) -> None:
        parcels = await self._trouble.insist("what waits in the outbox cannot be read", lambda: self._fetch(peer, sending, load))
        self._do(peer, sending, sending.loaded(load.session, parcels))

    async def _fetch(self, peer: str, sending: Sending, load: Load) -> list[Parcel]:
        while rows := await self._store.waiting(peer, sending.stream, load.after, most=load.most.messages, most_bytes=load.most.bytes):
            lively = [row for row in rows if row.ttl_left_ms is None or row.ttl_left_ms > 0]
            parcels = [Parcel(row.seq, row.message_id, row.ttl_left_ms, row.body) for row in lively]
            if len(lively) < len(rows):
                await self._expiry.bury_these(peer, sending.stream, [row.seq for row in rows if row not in lively])
            if any(not sending.fits(len(parcel.body)) for parcel in parcels):
                parcels = await self._fitting(peer, sending, parcels)
            if parcels:
                return parcels
        return []

    async def _renew(self, peer: str, sending: Sending) -> None:
        key = peer, sending.stream
        if key in self._renewing:
            return
        self._renewing.add(key)
        try:
            # In another incarnation the store would not know what they are about.
            await self._replies.settled(peer, sending.stream)
            incarnation, last = await self._trouble.insist("a stream cannot be renewed", lambda: self._store.renew(peer, sending.stream))
            line = self._lines.get(peer)
            last = max(last, self._later.pop(key, 0))
            self._do(peer, sending, sending.renewed(incarnation, last, None if line is None else line.credit))
        finally:
            self._renewing.discard(key)

    async def _fitting(self, peer: str, sending: Sending, parcels: list[Parcel]) -> list[Parcel]:
        """Bury the messages that the peer at the other end of the link will never take; returns the others."""
        for parcel in parcels:
            if not sending.fits(len(parcel.body)):
                reason = f"it has {len(parcel.body)} bytes, and the hallway of that device is too old to take so many"
                await self._replies.bury(peer, sending.stream, [parcel.seq], reason)
        return [parcel for parcel in parcels if sending.fits(len(parcel.body))]

    def _hand(self, peer_name: str, first: int, parcels: Sequence[Parcel]) -> None:
        self._handing.stored(peer_name, first, parcels)

    def _answer(self, peer: str, ack: Ack) -> None:
        if (line := self._lines.get(peer)) is not None:
            line.send(encode(ack))


def _unsent(peer_id: str, frame: Ack | Nak) -> BadFrame:
    return BadFrame(f"{peer_id} answers to stream {frame.stream!r}, in which nothing was sent")
