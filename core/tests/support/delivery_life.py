"""One stream from one device to another, while everything around it fails: the decisions are real, stores and channel are of virtual time.

A crash loses what is not committed, a break of the channel what is under way. Whatever `Outcome.stored` says must arrive once and in order.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

import attrs

from hallway.protocol.parcels import Ack, Credit, Gap, Parcel, Parcels, decode, encode, size_of
from hallway.protocol.receiving import Commit, Receiving
from hallway.protocol.sending import Forget, Load, Renew, SendEffect, Sending, Transmit

WINDOWS = (Credit(1, 200), Credit(4, 400), Credit(32, 4000), Credit(256, 4 * 1024 * 1024))


class Clock:
    def __init__(self) -> None:
        self.now, self._calls, self._order = 0.0, [], count()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._calls, (self.now + seconds, next(self._order), call))

    def run(self, until: float) -> None:
        while self._calls and self._calls[0][0] <= until:
            self.now, _, call = heapq.heappop(self._calls)
            call()
        self.now = until


@attrs.define
class Disk:
    """What survives a crash."""

    outbox: dict[int, Parcel] = attrs.field(factory=dict)
    incarnation: int = 1
    last: int = 0
    position: tuple[int, int] = (0, 0)
    inbox: list[int] = attrs.field(factory=list)


class Life:
    """``numbers`` are the messages, in the order in which they were sent."""

    def __init__(self, seed: int) -> None:
        self.random, self.clock = Random(seed), Clock()
        self.here, self.there = Disk(), Disk()
        self.window = self.random.choice(WINDOWS)
        self.stored: list[int] = []
        self.withdrawn: set[int] = set()
        self._numbers = count(1)
        self.sender: Sending | None = None
        self.receiver: Receiving | None = None
        self._lives = [0, 0]
        self._channel, self._is_open = 0, False
        self._queued: list[Parcel] = []
        self._committing = self._commits_at_once = False
        self._commits: list[Commit] = []
        self._under_way = [0.0, 0.0]
        self.start_sender()
        self.start_receiver()

    # What fails.

    def start_sender(self) -> None:
        self._lives[0] += 1
        self._break()
        self._queued, self._committing = [], False
        self.sender = Sending("", self.here.incarnation, self.here.last, 0)
        self._connect_soon()

    def start_receiver(self) -> None:
        self._lives[1] += 1
        self._break()
        self._commits = []
        incarnation, upto = self.there.position
        self.receiver = Receiving("", self.window, incarnation, upto)
        self._connect_soon()

    def break_channel(self) -> None:
        self._break()
        self._connect_soon()

    def _break(self) -> None:
        self._channel += 1
        self._is_open = False
        if self.sender is not None:
            self.sender.down()

    def _connect_soon(self) -> None:
        channel = self._channel
        self.clock.later(self.random.uniform(0.0, 1.0), lambda: self._connect() if channel == self._channel else None)

    def _connect(self) -> None:
        """Both HELLOs at once: the receiver tells what is committed, while more may be on its way into the inbox."""
        assert self.sender is not None
        assert self.receiver is not None
        self._is_open, self._under_way = True, [self.clock.now] * 2
        incarnation, upto = self.there.position
        self._do(self.sender.up(upto if incarnation == self.here.incarnation else 0, self.receiver.greet()))

    # The sender.

    def send(self) -> None:
        """The application sends; it knows that the message is stored only if no crash comes before."""
        seq = self.here.last + len(self._queued) + 1
        number = next(self._numbers)
        self._queued.append(Parcel(seq, number.to_bytes(16, "big"), None, b"x" * self.random.choice((1, 20, 300))))
        if not self._committing:
            self._committing = True
            self._soon(0, self.random.uniform(0.001, 0.1), self._commit_outbox)

    def _commit_outbox(self) -> None:
        assert self.sender is not None
        batch, self._queued, self._committing = self._queued, [], False
        self.here.outbox |= {parcel.seq: parcel for parcel in batch}
        self.here.last = batch[-1].seq
        self.stored += [int.from_bytes(parcel.id, "big") for parcel in batch]
        self._do(self.sender.placed(batch))

    def withdraw(self) -> None:
        """A message that was not sent yet expires."""
        assert self.sender is not None
        free = [seq for seq in self.here.outbox if not self.sender.has_sent(seq)]
        if free:
            self.withdrawn.add(int.from_bytes(self.here.outbox.pop(self.random.choice(free)).id, "big"))

    def _do(self, effects: list[SendEffect]) -> None:
        for effect in effects:
            match effect:
                case Transmit(frame):
                    self._carry(0, encode(frame), self._arrives)
                case Forget(upto, ranges):
                    for seq in [seq for seq in self.here.outbox if seq <= upto or any(a <= seq <= b for a, b in ranges)]:
                        del self.here.outbox[seq]
                case Load(session, after, most):
                    self._soon(0, self.random.uniform(0.0, 0.05), lambda: self._load(session, after, most))
                case Renew():
                    raise AssertionError("no store is an old copy here")

    def _load(self, session: int, after: int, most: Credit) -> None:
        assert self.sender is not None
        found, size = [], 0
        for seq in sorted(seq for seq in self.here.outbox if seq > after)[: most.messages]:
            size += size_of([self.here.outbox[seq]])
            if found and size > most.bytes:
                break
            found.append(self.here.outbox[seq])
        self._do(self.sender.loaded(session, found))

    # The receiver.

    def _arrives(self, data: bytes) -> None:
        assert self.receiver is not None
        frame = decode(data)
        commits = self.receiver.gap(frame) if isinstance(frame, Gap) else []
        if isinstance(frame, Parcels):
            commits = self.receiver.parcels(frame)
        for commit in commits:
            self._commits.append(commit)
            if len(self._commits) == 1:
                self._soon(1, self.random.uniform(0.001, 0.1), self._commit_inbox)

    def _commit_inbox(self) -> None:
        assert self.receiver is not None
        commit = self._commits.pop(0)
        self.there.position = (commit.incarnation, commit.upto)
        self.there.inbox += [int.from_bytes(parcel.id, "big") for parcel in commit.parcels]
        for ack in self.receiver.committed(commit):
            self._carry(1, encode(ack), self._acked)
        if self._commits:
            self._soon(1, self.random.uniform(0.001, 0.1), self._commit_inbox)

    def _acked(self, data: bytes) -> None:
        assert self.sender is not None
        ack = decode(data)
        assert isinstance(ack, Ack)
        self._do(self.sender.acknowledged(ack))

    # Time.

    def _soon(self, device: int, seconds: float, call: Callable[[], None]) -> None:
        life = self._lives[device]
        self.clock.later(seconds, lambda: call() if life == self._lives[device] else None)

    def _carry(self, direction: int, data: bytes, arrives: Callable[[bytes], None]) -> None:
        if not self._is_open:
            return
        channel = self._channel
        at = max(self._under_way[direction], self.clock.now + self.random.uniform(0.001, 0.2))
        self._under_way[direction] = at
        self.clock.later(at - self.clock.now, lambda: arrives(data) if channel == self._channel else None)


def live(seed: int, seconds: float = 20.0) -> Life:
    """A life with faults for so many seconds, and then as long as it takes in calm; what it was like is in the result."""
    life = Life(seed)
    calm = life.random.choice((0.2, 1.0, 4.0))
    faults = [life.start_sender, life.start_receiver, life.break_channel, life.withdraw, life.send, life.send, life.send]
    while life.clock.now < seconds:
        life.clock.run(life.clock.now + life.random.expovariate(5 / calm))
        life.random.choice(faults if life.random.random() < 0.3 else [life.send])()
    life.clock.run(seconds + 300.0)
    return life
