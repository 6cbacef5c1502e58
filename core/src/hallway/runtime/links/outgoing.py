"""What goes out over one channel: control frames first, small messages many to a frame, large ones in chunks between them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable

from hallway.errors import BadMessage, ChannelClosed, ClosedError, MessageTooLarge, PeerUnavailable
from hallway.interfaces import Channel
from hallway.protocol import batches, jsontext, packed
from hallway.protocol.batches import MAX_MESSAGES, OVERHEAD, Maker
from hallway.protocol.chunks import MAX_FRAME, MAX_MESSAGE
from hallway.protocol.frames import LinkFrame, Ping, Pong, Request, Response, encode
from hallway.runtime.links.lane import Lane, Waiting

logger = logging.getLogger(__name__)

BATCH_BYTES = 64 * 1024
"""Bytes of messages in one frame, unless a single one is larger."""
LONE_BYTES = 16 * 1024
"""Bytes of a message, and bytes under way, up to which one that waits for nothing is handed to the channel without a turn of the loop."""
BACKLOG_BYTES = 256 * 1024
"""Bytes that wait here before `put` waits too."""
MAX_FRAMES = 64
"""LinkFrame frames that wait here, at most."""
STALL_SECONDS = 5.0
"""How long a peer without frames may take nothing while more is waiting for it; then its link is ended, so that nobody waits for ever."""
LOOK_SECONDS = 0.25
"""How often it is looked whether the peer has acknowledged something, while something is under way."""


class Outgoing:
    """A queue in front of one open channel. ``plain``: one JSON text a message, as the seed has it, and no frames.

    `run` sends until it is cancelled or the channel ends.
    """

    def __init__(self, channel: Channel, peer_id: str, *, plain: bool) -> None:
        self._channel = channel
        self._peer_id = peer_id
        self._plain = plain
        self._frames: deque[LinkFrame] = deque()
        self._messages: deque[Waiting] = deque()
        self._parcels: deque[bytes] = deque()
        self._parcel_went = False
        self._lane = Lane()
        self._loop = asyncio.get_running_loop()
        self._maker = Maker(random.getrandbits(64))
        self._squeezer = batches.Squeezer()
        self._is_waiting = True
        """Whether a message would wait: something waits already, or nobody sends what is put here."""
        self._most_alone = 0
        """Bytes of a message that `put_now` takes."""
        self._is_first = True
        """Whether nothing was put in this turn of the loop: the second message of a turn waits for more to come, and shares their frame."""
        self._sent = 0
        self._since_look = 0
        """Bytes that may be under way, at most: those that were at the last look, and what was sent since."""
        self._last: LinkFrame | None = None
        self._backlog = 0
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._under_way = asyncio.Event()
        self._held = False
        self._successor: Outgoing | None = None
        self._ended = False
        self._room.set()
        self._idle.set()

    def allow_chunks(self) -> None:
        """The peer puts frames together from chunks: from now on they may be larger than one channel message."""
        self._lane.open(self._channel.max_message)

    def allow_lone(self) -> None:
        """The peer reads lone messages: those that wait for nothing go as such."""
        self._most_alone = min(LONE_BYTES, self._channel.max_message - OVERHEAD)

    @property
    def max_frame(self) -> int:
        """Bytes of one frame, at most."""
        return MAX_FRAME if self._lane.piece else self._channel.max_message

    def frame(self, frame: LinkFrame) -> None:
        """Send a control frame before the messages that wait. Nothing happens towards a peer that does not speak hallway.

        A peer that takes nothing is asked and answered no more: it must not make us queue.
        """
        if isinstance(frame, Pong):
            # One answer is enough for however many pings: a peer must not make us queue.
            self._frames = deque(each for each in self._frames if not isinstance(each, Pong))
        if not self._plain and not (isinstance(frame, Ping | Request | Response) and len(self._frames) >= MAX_FRAMES):
            self._frames.append(frame)
            self._wake()

    def parcel(self, frame: bytes) -> None:
        """Send a frame of the delivery layer, in turn with the messages that wait; the receiver's credit bounds how many there are."""
        if not self._lane.keeps(frame):
            self._parcels.append(frame)
        self._wake()

    def finish(self, frame: LinkFrame) -> None:
        """Send a control frame behind everything that waits: the last word."""
        if not self._plain:
            self._last = frame
            self._wake()

    def hold(self, *, paused: bool) -> None:
        """Keep messages back for as long as that holds; control frames go on."""
        self._held = paused
        self._wake()

    def hand_over(self, successor: Outgoing) -> None:
        """Let another channel of the same link send the messages that wait here, and those that are still put."""
        self._successor = successor
        self._most_alone = 0
        # The delivery layer begins anew over every channel.
        self._parcels.clear()
        for message in self._messages:
            successor._inherit(message)
        self._messages.clear()
        self._backlog = 0
        self._room.set()
        for message in self._lane.leave():
            successor._inherit(message)

    def _inherit(self, message: Waiting) -> None:
        """Queue one message of another channel, which may take more than this one does."""
        size = len(message.body)
        if self._is_small(size):
            self._take(message)
        elif self._lane.piece:
            self._lane.take(message)
            self._wake()
        else:
            most = self._channel.max_message - OVERHEAD
            logger.warning("a message of %d bytes to %s is lost: its link has moved to a channel that takes %d", size, self._peer_id, most)

    def _take(self, message: Waiting) -> None:
        """Queue one message, whatever waits already."""
        self._messages.append(message)
        self._backlog += len(message.body) + OVERHEAD
        if self._backlog > BACKLOG_BYTES:
            self._room.clear()
        self._wake()

    def put_now(self, packed_value: bytes) -> str | None:
        """Send one message (`hallway.protocol.packed`) that has nothing to wait for, and return its id; None: nothing was sent, `put` it.

        Raises:
            PeerUnavailable: the channel has ended.

        """
        size = len(packed_value)
        if size > self._most_alone or not self._is_first or self._is_waiting or self._held or self._since_look > LONE_BYTES:
            return None
        message_id, frame = self._maker.alone(packed_value)
        try:
            if not self._channel.send_now(frame):
                return None
        except (ChannelClosed, ClosedError) as error:
            raise self._gone() from error
        # It is under way: what is noted of it holds it up no more.
        self._note_alone(size)
        return message_id

    async def put(self, packed_value: bytes) -> str:
        """Send one message (`hallway.protocol.packed`), waiting for room; return its id.

        Raises:
            MessageTooLarge: it does not fit the channel.
            BadMessage: there are bytes in it, and the peer takes JSON only.
            PeerUnavailable: the channel has ended; the message was not sent.

        """
        body = _as_json(packed_value, self._peer_id) if self._plain else packed_value
        if not self._is_small(len(body)):
            return await self._put_large(packed_value, body)
        if not self._room.is_set():
            await self._room.wait()
        if self._successor is not None:
            return await self._successor.put(packed_value)
        if self._ended:
            raise self._gone()
        number = self._maker.number()
        if len(body) <= LONE_BYTES and self._is_first and self._is_quiet():
            await self._send_alone(number, body)
        else:
            self._take(Waiting(self._maker, number, body))
        return self._maker.id(number)

    def put_shared(self, maker: Maker, number: int, body: bytes) -> bool:
        """Send one message that goes to many, if it is small and there is room for it now; returns whether it was taken."""
        if self._plain or not self._is_small(len(body)) or not self._room.is_set() or self._successor is not None or self._ended:
            return False
        self._take(Waiting(maker, number, body))
        return True

    def _is_small(self, size: int) -> bool:
        """Whether a message of ``size`` bytes goes in one channel message, with others or alone."""
        return size + OVERHEAD <= (self._lane.piece or self._channel.max_message)

    def _is_quiet(self) -> bool:
        """Whether a message would wait for nothing."""
        if self._is_waiting or self._held:
            return False
        if self._since_look > LONE_BYTES:
            # What is under way is looked at now and then: to some channels that is a question to another thread.
            self._since_look = self._channel.buffered
        return self._since_look <= LONE_BYTES

    def _note_alone(self, size: int) -> None:
        self._is_first = False
        self._loop.call_soon(self._turn_over)
        self._under_way.set()
        self._sent += 1
        self._since_look += size

    async def _send_alone(self, number: int, body: bytes) -> None:
        self._note_alone(len(body))
        try:
            await self._channel.send(body.decode() if self._plain else self._maker.frame(number, (body,)))
        except (ChannelClosed, ClosedError) as error:
            raise self._gone() from error

    def _turn_over(self) -> None:
        self._is_first = True

    async def _put_large(self, packed_value: bytes, body: bytes) -> str:
        self._check_size(body)
        await self._lane.room()
        if self._successor is not None:
            return await self._successor.put(packed_value)
        if self._ended:
            raise self._gone()
        number = self._maker.number()
        self._lane.take(Waiting(self._maker, number, body))
        self._wake()
        return self._maker.id(number)

    def _gone(self) -> PeerUnavailable:
        return PeerUnavailable(f"the link to {self._peer_id} has just gone down", hint="wait for peer-connected")

    def check(self, packed_value: bytes) -> None:
        """See whether `put` would take the message.

        Raises:
            MessageTooLarge, BadMessage: it would not.

        """
        self._check_size(_as_json(packed_value, self._peer_id) if self._plain else packed_value)

    def _check_size(self, body: bytes) -> None:
        most = MAX_MESSAGE if self._lane.piece else self._channel.max_message - OVERHEAD
        if len(body) > most:
            raise MessageTooLarge(f"the message has {len(body)} bytes; {self._peer_id} takes {most}", hint="split it")

    async def run(self) -> None:
        """Send what is put, in order.

        Raises:
            ChannelClosed: the channel has ended.

        """
        self._is_waiting = not self._idle.is_set()
        try:
            while True:
                await self._work.wait()
                await self._send_next()
                self._sent += 1
        finally:
            self._ended = self._is_waiting = True
            self._lane.end()
            self._room.set()
            self._idle.set()

    async def watch(self, proved: Callable[[], None]) -> None:
        """Call ``proved`` whenever the peer has acknowledged more of what was sent; cancel it to stop.

        Raises:
            ChannelClosed: a peer without frames, whom nothing else asks for life, took nothing for `STALL_SECONDS` while more was waiting.

        """
        acknowledged, taken = self._channel.acknowledged_bytes or 0, self._progress()
        now = asyncio.get_running_loop().time
        taken_at = now()
        while True:
            if not self._under_way.is_set():
                await self._under_way.wait()
                taken_at = now()
            await asyncio.sleep(LOOK_SECONDS)
            if (self._channel.acknowledged_bytes or 0) > acknowledged:
                acknowledged = self._channel.acknowledged_bytes or 0
                proved()
            if self._progress() != taken:
                taken, taken_at = self._progress(), now()
            if self._plain and self._work.is_set() and now() >= taken_at + STALL_SECONDS:
                raise ChannelClosed(f"{self._peer_id} has taken nothing for {STALL_SECONDS:g} s")
            if not self._channel.buffered and not self._work.is_set():
                self._under_way.clear()

    def _progress(self) -> tuple[int, int]:
        return self._sent, self._channel.buffered

    async def drained(self) -> None:
        """Wait until everything that was put has been handed to the channel, or the channel has ended."""
        await self._idle.wait()

    def _wake(self) -> None:
        self._is_waiting = True
        self._idle.clear()
        self._work.set()
        self._under_way.set()

    async def _send_next(self) -> None:
        if (data := self._next()) is not None:
            self._since_look += len(data)
            await self._channel.send(data)
        waits = self._frames or self._parcels or self._last is not None or (self._messages and not self._held)
        if not waits and not self._lane.can_go(held=self._held):
            self._work.clear()
        if not self._work.is_set() and not self._messages and not self._lane.messages:
            self._is_waiting = False
            self._idle.set()

    def _next(self) -> str | bytes | None:
        """What goes out next: frames of the link, then parcels, messages and what is large in turn, then the last word."""
        if self._frames:
            data = encode(self._frames.popleft())
            if len(data) <= self._channel.max_message or not self._lane.keeps(data):
                return data
        messages = self._messages and not self._held
        if self._lane.can_go(held=self._held):
            others = bool(self._parcels or messages)
            if (large := self._lane.next(others=others, clear=not self._parcels, held=self._held)) is not None:
                return self._squeezer.squeeze(large)
        if self._parcels and not (messages and self._parcel_went):
            self._parcel_went = True
            return self._squeezer.squeeze(self._parcels.popleft())
        if messages:
            self._parcel_went = False
            return self._next_text() if self._plain else self._next_frame()
        # A peer that has no room for the messages before it still hears the last word.
        last, self._last = self._last, None
        return None if last is None else encode(last)

    def _next_text(self) -> str:
        body = self._messages.popleft().body
        self._free(len(body) + OVERHEAD)
        return body.decode()

    def _next_frame(self) -> bytes:
        """As many messages as one frame takes whose numbers follow each other."""
        maker, first, body = self._messages.popleft()
        bodies, size = [body], len(body) + OVERHEAD
        room = min(BATCH_BYTES, self._channel.max_message)
        while self._messages and len(bodies) < MAX_MESSAGES:
            its_maker, its_number, body = self._messages[0]
            if its_maker is not maker or its_number != first + len(bodies) or size + len(body) + OVERHEAD > room:
                break
            self._messages.popleft()
            bodies.append(body)
            size += len(body) + OVERHEAD
        self._free(size)
        return maker.frame(first, bodies)

    def _free(self, size: int) -> None:
        self._backlog -= size
        if self._backlog <= BACKLOG_BYTES:
            self._room.set()


def _as_json(packed_value: bytes, peer_id: str) -> bytes:
    try:
        return jsontext.dumps(packed.unpack(packed_value)).encode()
    except jsontext.BadJson as error:
        raise BadMessage(f"{peer_id} takes JSON only: {error}", hint="send it no bytes") from error
