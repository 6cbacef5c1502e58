"""Durable messages: stored before they are sent, sent while there is a link, forgotten when the peer has them."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import attrs

from hallway.errors import BadFrame, DeliveryFailed, HallwayError, OutboxFull, StoreError
from hallway.events import Delivered
from hallway.protocol.parcels import Ack, Credit, DeliveryFrame, Gap, Nak, Parcel, Parcels, encode
from hallway.protocol.receiving import Receiving
from hallway.protocol.sending import Forget, Load, Renew, SendEffect, Sending, Transmit
from hallway.runtime.handing import Handing
from hallway.runtime.inflow import RETRY_SECONDS, Inflow
from hallway.runtime.publisher import Publisher
from hallway.runtime.receipts import Receipt, Receipts
from hallway.runtime.tasks import TaskSet
from hallway.store import NewMessage, Store

logger = logging.getLogger(__name__)

SECTION = "delivery"
"""The section of HELLO that belongs to the delivery layer."""
WINDOW = Credit(4096, 4 * 1024 * 1024)
"""What a peer may have on the way to us that we have not acknowledged."""
MAX_POSITIONS = 64
PACKED = 0
"""How the body of a stored message is encoded: `hallway.protocol.packed`."""
EXPIRY_SECONDS = 60.0
"""How long nobody looks whether something has expired, at most: while a device sleeps, its messages' time goes on and its timers do not."""

Send = Callable[[bytes], None]


@attrs.define
class _Line:
    """An open link, and what its peer has of our streams."""

    send: Send
    positions: dict[str, tuple[int, int]]
    credit: Credit
    max_frame: int


class Delivery:
    """One device's. All methods run in the event loop's thread. ``remembered``: seconds for which a peer that is away counts as known."""

    def __init__(self, store: Store, publisher: Publisher, tasks: TaskSet, remembered: float) -> None:
        self._store = store
        self._publisher = publisher
        self._tasks = tasks
        self._remembered = remembered
        self._receipts = Receipts()
        self._handing = Handing(store, publisher, self._let_go)
        self._lines: dict[str, _Line] = {}
        self._sendings: dict[tuple[str, str], Sending] = {}
        self._inflows: dict[tuple[str, str], Inflow] = {}
        self._fresh: defaultdict[tuple[str, str], list[Parcel]] = defaultdict(list)
        self._waiting, self._waiting_bytes = 0, 0
        self._settled = asyncio.Event()
        self._new_ttl = asyncio.Event()

    async def start(self) -> None:
        """Read from the store how far every stream is."""
        for out in await self._store.outgoing():
            self._sendings[out.peer, out.stream] = Sending(out.stream, out.incarnation, out.last)
        for position in await self._store.positions():
            self._inflow(position.peer, Receiving(position.stream, WINDOW, position.incarnation, position.upto))
        self._waiting, self._waiting_bytes = (await self._store.usage()).inbox

    async def run(self) -> None:
        """Hand the inbox out and let the time pass; cancel it to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._handing.run(), name="inbox")
            group.create_task(self._expire(), name="expiry")

    # The application.

    async def known(self) -> list[str]:
        """The peers that were linked lately, away or not."""
        return await self._store.peers(time.time() - self._remembered)

    async def knows(self, peer_id: str) -> bool:
        """Whether that peer was linked lately."""
        return peer_id.lower() in self._lines or peer_id.lower() in {each.lower() for each in await self.known()}

    def reaches(self, peer_id: str) -> bool:
        """Whether there is a link to that peer, and a delivery layer at its other end."""
        return peer_id.lower() in self._lines

    async def put(self, body: bytes, to: Sequence[str], ttl: float | None = None) -> tuple[list[Receipt], tuple[str, ...]]:
        """Store a message for each of these peers, and send it while there is a link; returns receipts, and whose outbox is full.

        Raises:
            StoreError: it is not stored, for nobody.

        """
        message_id, ttl_ms = random.randbytes(16), _milliseconds(ttl)
        placed = await self._store.put(NewMessage(message_id, body, PACKED, "", ttl_ms), to)
        names = {name.lower(): name for name in to}
        for peer, seq in placed.seqs.items():
            await self._begin(peer)
            self._note((peer, ""), Parcel(seq, message_id, ttl_ms, body))
        receipts = [self._receipts.give(names[peer], message_id.hex()) for peer in placed.seqs]
        return receipts, tuple(names[peer] for peer in placed.full)

    async def put_one(self, body: bytes, peer_id: str, ttl: float | None = None) -> Receipt:
        """Store a message for one peer.

        Raises:
            OutboxFull: too much waits for that peer already.
            StoreError: it is not stored.

        """
        message_id, ttl_ms = random.randbytes(16), _milliseconds(ttl)
        placed = await self._store.put(NewMessage(message_id, body, PACKED, "", ttl_ms), (peer_id,))
        if placed.full:
            raise OutboxFull([peer_id])
        peer = peer_id.lower()
        if (peer, "") not in self._sendings:
            await self._begin(peer)
        self._note((peer, ""), Parcel(placed.seqs[peer], message_id, ttl_ms, body))
        return self._receipts.give(peer_id, message_id.hex())

    async def retry(self, letters: Sequence[int]) -> int:
        """Give dead letters another try: send them, or hand them out; returns for how many that was possible.

        Raises:
            StoreError: for none.

        """
        again = await self._store.retry(letters)
        for (peer, stream), last in again.streams.items():
            sending = self._sendings[peer, stream]
            self._do(peer, sending, sending.grown(last))
        if again.received:
            self._stored(again.received, again.received_bytes)
        return again.count

    async def settle(self, deadline: float) -> None:
        """Wait until the peers with a link have everything, or the deadline."""
        try:
            async with asyncio.timeout_at(deadline):
                while any(self._sendings[key].acked < self._sendings[key].last for key in self._sendings if key[0] in self._lines):
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            logger.info("some messages wait for the next start, or are lost with this process if there is no store")

    async def aclose(self) -> None:
        """Note what the application has dealt with, and close the store."""
        try:
            await self._handing.settle()
        except StoreError as error:
            logger.warning("messages that the application had are handed out again after the next start: %s", error)
        await self._store.aclose()

    # The links.

    def hello(self, peer_id: str) -> dict[str, Any]:
        """Our section of the HELLO to that peer: what we have of its streams, and how much may come."""
        mine = [inflow.receiving for (peer, _), inflow in self._inflows.items() if peer == peer_id.lower()]
        return {"positions": [[each.stream, each.incarnation, each.upto] for each in mine], "credit": list(self._credit())}

    def up(self, peer_id: str, section: Any, send: Send, max_frame: int) -> None:
        """A channel to the peer is open; ``section`` is that of its HELLO, None if it has no delivery layer.

        ``send`` takes frames of at most ``max_frame`` bytes.

        Raises:
            BadFrame: it is malformed.

        """
        peer = peer_id.lower()
        if section is None:
            return
        line = self._lines[peer] = _line(section, send, max_frame)
        self._tasks.start(self._meet(peer_id), f"meet {peer_id}")
        for (whose, _), sending in self._sendings.items():
            if whose == peer:
                self._send_over(line, peer, sending)

    def down(self, peer_id: str) -> None:
        """The link is gone."""
        peer = peer_id.lower()
        self._lines.pop(peer, None)
        for (whose, _), sending in self._sendings.items():
            if whose == peer:
                sending.down()
        self._settled.set()

    def received(self, peer_id: str, frame: DeliveryFrame) -> None:
        """A frame came over the open link.

        Raises:
            BadFrame: it breaks the protocol.

        """
        peer = peer_id.lower()
        sending = self._sendings.get((peer, frame.stream))
        match frame:
            case Parcels() | Gap():
                self._receiver(peer, frame.stream).take(frame)
            case Ack() if sending is not None:
                self._do(peer, sending, sending.acknowledged(frame))
                self._settled.set()
            case Nak() if sending is not None and sending.has_sent(frame.seq):
                self._tasks.start(self._bury(peer, frame), f"bury for {peer_id}")
            case Ack() | Nak():
                raise BadFrame(f"{peer_id} answers to stream {frame.stream!r}, in which nothing was sent")

    # What follows.

    def _send_over(self, line: _Line, peer: str, sending: Sending) -> None:
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
                    self._tasks.start(self._forget(peer, sending, upto, ranges), f"forget for {peer}")
                case Renew():
                    self._tasks.start(self._renew(peer, sending), f"renew for {peer}")

    def _note(self, key: tuple[str, str], parcel: Parcel) -> None:
        """Gather what was stored by one commit, so that it shares frames."""
        if not self._fresh:
            asyncio.get_running_loop().call_soon(self._place)
        self._fresh[key].append(parcel)
        if parcel.ttl_ms is not None:
            self._new_ttl.set()

    def _place(self) -> None:
        fresh, self._fresh = self._fresh, defaultdict(list)
        for key, parcels in fresh.items():
            sending = self._sendings[key]
            self._do(key[0], sending, sending.placed(sorted(parcels)))

    async def _begin(self, peer: str) -> None:
        """With the first message to a peer its stream has an incarnation."""
        if (peer, "") in self._sendings:
            return
        for out in await self._store.outgoing():
            if (out.peer, out.stream) not in self._sendings:
                sending = self._sendings[out.peer, out.stream] = Sending(out.stream, out.incarnation)
                if (line := self._lines.get(out.peer)) is not None:
                    self._send_over(line, out.peer, sending)

    async def _load(self, peer: str, sending: Sending, load: Load) -> None:
        parcels: list[Parcel] = []
        try:
            while rows := await self._store.waiting(peer, sending.stream, load.after, most=load.most.messages, most_bytes=load.most.bytes):
                lively = [row for row in rows if row.ttl_left_ms is None or row.ttl_left_ms > 0]
                parcels = [Parcel(row.seq, row.message_id, row.ttl_left_ms, row.body) for row in lively]
                if len(lively) < len(rows):
                    await self._bury_expired()
                if any(not sending.fits(parcel) for parcel in parcels):
                    parcels = await self._fitting(peer, sending, parcels)
                if parcels:
                    break
        except HallwayError as error:
            logger.warning("the outbox for %s cannot be read: %s", peer, error)
            return
        self._do(peer, sending, sending.loaded(load.session, parcels))

    async def _forget(self, peer: str, sending: Sending, upto: int, ranges: tuple[tuple[int, int], ...]) -> None:
        try:
            gone = await self._store.acked(peer, sending.stream, sending.incarnation, upto, ranges)
        except HallwayError as error:
            # The next acknowledgement says it again.
            logger.warning("what %s has is not noted yet: %s", peer, error)
            return
        for acked in gone:
            message_id = acked.message_id.hex()
            self._receipts.settle(peer, message_id)
            self._publisher.publish(Delivered(peer, message_id))

    async def _renew(self, peer: str, sending: Sending) -> None:
        incarnation, last = await self._store.renew(peer, sending.stream)
        line = self._lines.get(peer)
        if line is not None:
            self._do(peer, sending, sending.renewed(incarnation, last, line.credit))

    async def _fitting(self, peer: str, sending: Sending, parcels: list[Parcel]) -> list[Parcel]:
        """Bury the messages that the peer at the other end of the link will never take; returns the others."""
        for parcel in parcels:
            if not sending.fits(parcel):
                reason = f"it has {len(parcel.body)} bytes, and the hallway of that device is too old to take so many"
                await self._bury(peer, Nak(sending.stream, sending.incarnation, parcel.seq, reason))
        return [parcel for parcel in parcels if sending.fits(parcel)]

    async def _bury(self, peer: str, nak: Nak) -> None:
        for acked in await self._store.bury(peer, nak.stream, [nak.seq], nak.reason):
            self._receipts.settle(peer, acked.message_id.hex(), DeliveryFailed(f"{peer} cannot use the message: {nak.reason}"))

    async def _expire(self) -> None:
        """Bury what expires when it does. A device whose messages have all the time of the world is not woken."""
        while True:
            self._new_ttl.clear()
            try:
                await self._bury_expired()
                left = await self._store.next_expiry()
            except StoreError as error:
                logger.warning("what has expired is not noted yet: %s", error)
                left = round(RETRY_SECONDS * 1000)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if left is None else min(max(left, 0) / 1000, EXPIRY_SECONDS)):
                    await self._new_ttl.wait()

    async def _bury_expired(self) -> None:
        for gone in await self._store.expired():
            failure = DeliveryFailed(f"the message to {gone.peer} has expired", hint="give it more time to live")
            self._receipts.settle(gone.peer, gone.message_id.hex(), failure)

    async def _meet(self, peer_id: str) -> None:
        try:
            await self._store.met(peer_id, time.time())
        except StoreError as error:
            logger.warning("that %s was here is not noted: %s", peer_id, error)

    def _receiver(self, peer: str, stream: str) -> Inflow:
        return self._inflows.get((peer, stream)) or self._inflow(peer, Receiving(stream, WINDOW))

    def _inflow(self, peer: str, receiving: Receiving) -> Inflow:
        inflow = Inflow(peer, receiving, self._store, self._tasks, self._stored, lambda ack: self._answer(peer, ack))
        self._inflows[peer, receiving.stream] = inflow
        return inflow

    def _answer(self, peer: str, ack: Ack) -> None:
        if (line := self._lines.get(peer)) is not None:
            line.send(encode(ack))

    def _stored(self, messages: int, size: int) -> None:
        self._handing.more()
        self._wait_for(messages, size)

    def _let_go(self, messages: int, size: int) -> None:
        self._wait_for(-messages, -size)

    def _wait_for(self, messages: int, size: int) -> None:
        self._waiting += messages
        self._waiting_bytes += size
        for inflow in self._inflows.values():
            inflow.waits(self._waiting, self._waiting_bytes)

    def _credit(self) -> Credit:
        return WINDOW.without(self._waiting, self._waiting_bytes)


def _milliseconds(ttl: float | None) -> int | None:
    return None if ttl is None else round(ttl * 1000)


def _line(section: Any, send: Send, max_frame: int) -> _Line:
    try:
        messages, size = section["credit"]
        positions = {stream: (incarnation, upto) for stream, incarnation, upto in section["positions"][:MAX_POSITIONS]}
        numbers = [messages, size, *(number for pair in positions.values() for number in pair)]
        if any(type(number) is not int or not 0 <= number < 2**64 for number in numbers):
            raise ValueError("positions and credit are numbers")
    except (KeyError, TypeError, ValueError) as error:
        raise BadFrame(f"the delivery section of the peer's HELLO is malformed: {error}") from error
    return _Line(send, positions, Credit(messages, size), max_frame)
