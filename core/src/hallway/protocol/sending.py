"""How one stream of durable messages gets to one peer: what to send when, and what is settled. Pure decisions.

The messages lie in the store. What was just stored is sent at once if everything before it was; what is behind is loaded as the receiver's
credit allows, so that no queue lies in memory. Nothing is sent twice over one channel: the channel itself repeats. After every new HELLO
the stream goes on behind what the receiver has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import attrs

from hallway.errors import BadFrame
from hallway.protocol.chunks import MAX_FRAME
from hallway.protocol.parcels import HEAD_OVERHEAD, MAX_PARCELS, PARCEL_OVERHEAD, Ack, Credit, Gap, Parcel, Parcels

FRAME_BYTES = 32 * 1024
"""Bytes of parcels in one frame, unless one alone is larger."""
MAX_CREDIT = Credit(4096, 64 * 1024 * 1024)
"""What a receiver can grant at most; more is taken for that."""
NOTHING = Credit(0, 0)


@attrs.frozen
class Transmit:
    """Send the frame over the open channel."""

    frame: Parcels | Gap


@attrs.frozen
class Load:
    """Fetch messages with numbers beyond ``after``, in order: at least one if there is any, then no more than this. Then call `loaded`."""

    session: int
    after: int
    most: Credit


@attrs.frozen
class Forget:
    """The receiver has everything up to ``upto``, and what lies in the ranges (first, last)."""

    upto: int
    ranges: tuple[tuple[int, int], ...] = ()


@attrs.frozen
class Renew:
    """The receiver has more than we have ever sent: our store is an old copy.

    Number what waits anew, in a new incarnation, and call `renewed`.
    """


SendEffect = Transmit | Load | Forget | Renew


@attrs.define
class Sending:
    """One stream. ``last`` is the highest number given; up to ``acked`` the receiver has everything."""

    stream: str
    incarnation: int
    last: int = 0
    acked: int = 0
    _sent: int = 0
    _ever_sent: int = attrs.field(init=False)
    """The highest number that may have been sent over any channel: before the start, any that was given."""
    _session: int = 0
    _is_up: bool = False
    _loading: bool = False
    _loading_upto: int = 0
    """The highest number given when the load under way began: what it does not find below will never come."""
    _credit: Credit = NOTHING
    _flight: deque[tuple[int, int]] = attrs.field(factory=deque)
    """Number and size of each message on the way; no message's body."""
    _flight_bytes: int = 0
    _max_frame: int = MAX_FRAME
    _blocked: bool = False
    """Whether the next message is larger than what the credit leaves: it is not loaded again before there is more."""

    def __attrs_post_init__(self) -> None:
        self._ever_sent = self.last

    def up(self, upto: int, credit: Credit, max_frame: int = MAX_FRAME) -> list[SendEffect]:
        """A channel is open whose receiver has everything up to ``upto`` of this incarnation (0: nothing) and grants ``credit``.

        It takes frames of at most ``max_frame`` bytes.
        """
        self._max_frame = max_frame
        if upto > self.last:
            self.down()
            return [Renew()]
        forget: list[SendEffect] = [Forget(upto)] if upto > self.acked else []
        # A receiver whose store is an old copy has less than it had: what is gone here, too, it is told to be a gap.
        self.acked = upto
        self._restart(credit)
        return forget + self._go_on()

    def renewed(self, incarnation: int, last: int, credit: Credit | None) -> list[SendEffect]:
        """What waits has the numbers 1 to ``last`` now. ``credit`` is that of the channel that is open now, if there is one."""
        self.incarnation, self.last, self.acked, self._ever_sent = incarnation, last, 0, 0
        if credit is None:
            self._sent = 0
            self.down()
            return []
        self._restart(credit)
        return self._go_on()

    def down(self) -> None:
        """The channel is gone."""
        self._is_up = self._loading = False
        self._session += 1

    def placed(self, parcels: Sequence[Parcel]) -> list[SendEffect]:
        """These messages were just stored. A number that is missing between them is another's that waits in the store as well."""
        unbroken = parcels[-1].seq - parcels[0].seq == len(parcels) - 1
        fit = self.fits(max([len(parcel.body) for parcel in parcels]))
        follows = self._sent == parcels[0].seq - 1 and unbroken and fit and not self._loading
        self.last = max(self.last, parcels[-1].seq)
        return (self._transmit(parcels) if follows else []) + self._go_on()

    def grown(self, last: int) -> list[SendEffect]:
        """The store has given numbers up to ``last`` by itself: to dead letters that get another try."""
        self.last = max(self.last, last)
        return self._go_on()

    def fits(self, size: int) -> bool:
        """Whether the receiver takes a body of ``size`` bytes at all; one that it does not take must not come with `loaded`."""
        return HEAD_OVERHEAD + PARCEL_OVERHEAD + size <= self._max_frame

    def loaded(self, session: int, parcels: Sequence[Parcel]) -> list[SendEffect]:
        """What `Load` has fetched. Numbers that are missing will never come."""
        if session != self._session or not self._is_up:
            return []
        self._loading = False
        if not parcels:
            return self._skip(self._loading_upto) + self._go_on()
        return self._transmit(parcels) + self._go_on()

    def acknowledged(self, ack: Ack) -> list[SendEffect]:
        """The receiver tells what it has.

        Raises:
            BadFrame: it has what was never sent.

        """
        if not self._is_up:
            return []
        if ack.incarnation != self.incarnation:
            # The receiver has nothing of this one yet, and can only tell of the one before that there is room again.
            self._credit, self._blocked = _bounded(ack.credit), False
            return self._go_on()
        highest = ack.ranges[-1][1] if ack.ranges else ack.upto
        if highest > self._ever_sent:
            raise BadFrame(f"the peer acknowledges message {highest} of {self._ever_sent} that were sent")
        if ack.upto < self.acked:
            # It was under way over the channel before, while this one's HELLO told more.
            return []
        news = ack.upto > self.acked or ack.ranges
        self.acked = ack.upto
        # What came over the channel before may be in the inbox only now.
        self._sent = max(self._sent, ack.upto)
        while self._flight and self._flight[0][0] <= ack.upto:
            self._flight_bytes -= self._flight.popleft()[1]
        self._credit = _bounded(ack.credit)
        self._blocked = False
        return ([Forget(ack.upto, ack.ranges)] if news else []) + self._go_on()

    def has_sent(self, seq: int) -> bool:
        """Whether the peer may say something about the message of that number."""
        return self._is_up and self.acked < seq <= self._sent

    def _restart(self, credit: Credit) -> None:
        self._session += 1
        self._is_up, self._loading, self._blocked = True, False, False
        self._sent = self.acked
        self._credit = _bounded(credit)
        self._flight.clear()
        self._flight_bytes = 0

    def _room(self) -> Credit:
        return Credit(self._credit.messages - len(self._flight), self._credit.bytes - self._flight_bytes)

    def _is_let(self) -> bool:
        """Whether a message may go, if it is small enough."""
        messages, size = self._credit
        return len(self._flight) < messages and (self._flight_bytes <= size or not self._flight)

    def _go_on(self) -> list[SendEffect]:
        if not self._is_up or self._loading or self._blocked or self._sent >= self.last or not self._is_let():
            return []
        self._loading, self._loading_upto = True, self.last
        room = self._room()
        return [Load(self._session, self._sent, Credit(min(room.messages, MAX_PARCELS), max(1, room.bytes)))]

    def _skip(self, upto: int) -> list[SendEffect]:
        if self._sent >= upto:
            return []
        gap = Gap(self.stream, self.incarnation, self._sent + 1, upto)
        self._sent = upto
        self._ever_sent = max(self._ever_sent, upto)
        return [Transmit(gap)]

    def _transmit(self, parcels: Sequence[Parcel]) -> list[SendEffect]:
        """Send as many as the receiver lets us, those that follow each other in frames of their own."""
        effects: list[SendEffect] = []
        frame: list[Parcel] = []
        size, room = HEAD_OVERHEAD, min(FRAME_BYTES, self._max_frame)
        flight, (messages, credit) = self._flight, self._credit
        for parcel in parcels if self._is_up else ():
            seq, parcel_size = parcel.seq, len(parcel.body) + PARCEL_OVERHEAD
            if seq <= self._sent:
                continue
            # One alone may have any size, or it could never go.
            if len(flight) >= messages or (flight and self._flight_bytes + parcel_size > credit):
                self._blocked = True
                break
            if frame and (seq != self._sent + 1 or size + parcel_size > room or len(frame) == MAX_PARCELS):
                effects.append(self._frame(frame))
                frame, size = [], HEAD_OVERHEAD
            if seq != self._sent + 1:
                effects += self._skip(seq - 1)
            self._sent = seq
            flight.append((seq, parcel_size))
            self._flight_bytes += parcel_size
            frame.append(parcel)
            size += parcel_size
        self._ever_sent = max(self._ever_sent, self._sent)
        return [*effects, self._frame(frame)] if frame else effects

    def _frame(self, parcels: list[Parcel]) -> SendEffect:
        return Transmit(Parcels(self.stream, self.incarnation, tuple(parcels)))


def _bounded(credit: Credit) -> Credit:
    return Credit(min(credit.messages, MAX_CREDIT.messages), min(credit.bytes, MAX_CREDIT.bytes))
