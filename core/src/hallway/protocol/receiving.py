"""How one stream of durable messages comes in from one peer: in order, once, acknowledged only when it is in the inbox. Pure decisions."""

from __future__ import annotations

import attrs

from hallway.errors import BadFrame
from hallway.protocol.parcels import Ack, Credit, Gap, Parcel, Parcels, size_of


@attrs.frozen
class Commit:
    """Put the messages into the inbox and the stream's position to ``upto``, both or neither; then call `committed`."""

    incarnation: int
    upto: int
    parcels: tuple[Parcel, ...] = ()


@attrs.define
class Receiving:
    """One stream. ``upto`` is the position that is in the store; 0 and a fresh incarnation: nothing has come yet."""

    stream: str
    window: Credit
    """What the sender may have on the way when nothing waits for the application."""
    incarnation: int = 0
    upto: int = 0
    _accepted: int = 0
    _pending: int = 0
    _pending_bytes: int = 0
    _waiting: int = 0
    _waiting_bytes: int = 0
    _stored: int = 0
    _stored_bytes: int = 0
    _let: Credit = attrs.field(init=False)
    """How many messages and bytes may have come since the start: what was stored when the sender was told its credit, and that credit."""
    _told: Credit = attrs.field(init=False)
    """The credit that the sender was told last."""
    _greeted: tuple[int, Credit] | None = None
    """The position and the credit that our last HELLO told."""

    def __attrs_post_init__(self) -> None:
        self._accepted = self.upto
        self._let = self._told = self.window

    @property
    def credit(self) -> Credit:
        """What may come beyond ``upto`` now."""
        return self.window.without(self._waiting, self._waiting_bytes)

    def grant(self) -> Credit:
        """The credit, which the sender is told."""
        return self._grant(0, 0)

    def greet(self) -> Credit:
        """The credit, which the sender is told by a HELLO: it begins anew behind what is stored.

        What is on the way to the store may have expired there since, and be a gap that uses up no credit.
        """
        self._greeted = self.upto, self.credit
        return self._grant(min(self._pending, self.window.messages), min(self._pending_bytes, self.window.bytes))

    def _grant(self, messages: int, size: int) -> Credit:
        credit = self._told = self.credit
        messages, size = messages + self._stored + credit.messages, size + self._stored_bytes + credit.bytes
        self._let = Credit(max(self._let.messages, messages), max(self._let.bytes, size))
        return credit

    def parcels(self, frame: Parcels) -> list[Commit]:
        """Messages have come. Those that are known already are not new ones.

        Raises:
            BadFrame: there is a hole before them, or they are more than the sender was ever let.

        """
        self._follow(frame.incarnation)
        if frame.parcels[-1].seq <= self._accepted:
            return []
        fresh = tuple([parcel for parcel in frame.parcels if parcel.seq > self._accepted])
        self._expect(fresh[0].seq)
        messages, size = self._pending + len(fresh), self._pending_bytes + size_of(fresh)
        # One alone may have any size as long as there is some credit.
        beyond = self._stored_bytes + size > self._let.bytes and (messages > 1 or self._stored_bytes >= self._let.bytes)
        if beyond or self._stored + messages > self._let.messages:
            raise BadFrame(f"the peer sends beyond its credit: {messages} messages, {size} bytes are on the way to the store")
        self._accepted, self._pending, self._pending_bytes = fresh[-1].seq, messages, size
        return [Commit(self.incarnation, self._accepted, fresh)]

    def gap(self, frame: Gap) -> list[Commit]:
        """Numbers that will never come.

        Raises:
            BadFrame: there is a hole before them.

        """
        self._follow(frame.incarnation)
        if frame.last <= self._accepted:
            return []
        self._expect(max(frame.first, self._accepted + 1))
        self._accepted = frame.last
        return [Commit(self.incarnation, self._accepted)]

    def committed(self, commit: Commit) -> list[Ack]:
        """A `Commit` is in the store. They come in their order."""
        messages, size = len(commit.parcels), size_of(commit.parcels)
        self._pending, self._pending_bytes = self._pending - messages, self._pending_bytes - size
        self._stored, self._stored_bytes = self._stored + messages, self._stored_bytes + size
        if commit.incarnation != self.incarnation:
            return []
        self.upto = commit.upto
        return [self._ack()]

    def waits(self, messages: int, size: int) -> list[Ack]:
        """So much waits for the application. A sender that had no credit is told when there is some again."""
        self._waiting, self._waiting_bytes = messages, size
        told, now = self._told, self.credit
        grew = 2 * told.messages < now.messages or 2 * told.bytes < now.bytes
        return [self._ack()] if grew and self.incarnation else []

    def acknowledgement(self) -> list[Ack]:
        """What the sender has to be told that our last HELLO could not tell: what has come since, and how much may come now."""
        return [self._ack()] if self.incarnation and self._greeted != (self.upto, self.credit) else []

    def _ack(self) -> Ack:
        return Ack(self.stream, self.incarnation, self.upto, self.grant())

    def _follow(self, incarnation: int) -> None:
        if incarnation != self.incarnation:
            self.incarnation, self.upto, self._accepted = incarnation, 0, 0

    def _expect(self, seq: int) -> None:
        if seq != self._accepted + 1:
            raise BadFrame(f"the peer's message {self._accepted + 1} is missing, and {seq} is here")
