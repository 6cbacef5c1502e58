"""The store against plain lists and dicts, over any sequence of operations and reopenings."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from store_rig import ALL, HandMachine, incarnation, message, queued, received

from hallway.store import Numbered, Quota, Store
from hallway.store.database import counted

T = TypeVar("T")
PEERS = ["tablet-2", "tablet-3"]
QUOTA = Quota(peer_messages=6, peer_bytes=200, total_bytes=300, letters=5)
Row = tuple[int, int, int]
"""Sequence number, the test's own number, expiry."""
NEVER = 2**60

peers = st.sampled_from(PEERS)
seqs = st.integers(1, 12)


class StoreAsDicts(RuleBasedStateMachine):
    """Every step is done to a store on disk and to the model; after each step both are the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.machine = HandMachine()
        self.elapsed = 0
        self.numbers = 0
        self.size: dict[int, int] = {}
        self.last = dict.fromkeys(PEERS, 0)
        self.out: dict[str, list[Row]] = {peer: [] for peer in PEERS}
        self.dead: list[tuple[str, int]] = []
        self.inbox: list[int] = []
        self.upto = 0
        self.open()

    def do(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, 60))

    def open(self) -> None:
        self.store = self.do(Store.open(str(Path(self.folder.name) / "hallway.db"), quota=QUOTA, machine=self.machine))
        assert self.store.notices == ()

    def has_room(self, peer: str, size: int) -> bool:
        held = sum(self.size[n] for _, n, _ in self.out[peer])
        return len(self.out[peer]) < QUOTA.peer_messages and held + size <= QUOTA.peer_bytes

    def fits_in_all(self, number: int) -> bool:
        queued = {n for rows in self.out.values() for _, n, _ in rows}
        return sum(self.size[n] for n in queued | {number}) <= QUOTA.total_bytes

    def append(self, peer: str, number: int, expires: int) -> int:
        self.last[peer] += 1
        self.out[peer].append((self.last[peer], number, expires))
        return self.last[peer]

    def bury_in_model(self, peer: str, gone: list[Row]) -> None:
        self.out[peer] = [row for row in self.out[peer] if row not in gone]
        self.dead += [("out", n) for _, n, _ in gone]
        self.dead = self.dead[-QUOTA.letters :]

    @rule(to=st.lists(peers, unique=True), size=st.integers(0, 120), ttl=st.none() | st.integers(1, 20))
    def put(self, to: list[str], size: int, ttl: int | None) -> None:
        self.numbers += 1
        self.size[self.numbers] = size
        placed = self.do(self.store.put(message(self.numbers, size=size, ttl_ms=ttl), to))
        accepted = [peer for peer in to if self.has_room(peer, size)] if self.fits_in_all(self.numbers) else []
        expires = NEVER if ttl is None else self.elapsed + ttl
        assert placed.seqs == {peer: self.append(peer, self.numbers, expires) for peer in accepted}
        assert placed.full == tuple(peer for peer in to if peer not in accepted)

    @rule(to=st.lists(peers, min_size=1, max_size=4), size=st.integers(0, 120), ttl=st.none() | st.integers(1, 20))
    def put_one_each(self, to: list[str], size: int, ttl: int | None) -> None:
        """Messages to one receiver each that share a commit."""
        first, self.numbers = self.numbers + 1, self.numbers + len(to)
        self.size |= dict.fromkeys(range(first, self.numbers + 1), size)
        placed = self.do(self._put_each(to, first, size, ttl))
        expires = NEVER if ttl is None else self.elapsed + ttl
        for each, (number, peer) in zip(placed, enumerate(to, first), strict=True):
            if self.fits_in_all(number) and self.has_room(peer, size):
                assert each == (self.append(peer, number, expires), self.do(incarnation(self.store, peer)))
            else:
                assert each is None

    async def _put_each(self, to: list[str], first: int, size: int, ttl: int | None) -> list[Numbered | None]:
        messages = (message(number, size=size, ttl_ms=ttl) for number in range(first, first + len(to)))
        return await asyncio.gather(*(self.store.put_one(each, peer) for each, peer in zip(messages, to, strict=True)))

    @rule(peer=peers, upto=st.integers(0, 12), ranges=st.lists(st.tuples(seqs, seqs), max_size=2), ours=st.booleans())
    def ack(self, peer: str, upto: int, ranges: list[tuple[int, int]], ours: bool) -> None:
        if self.last[peer]:
            identity = self.do(incarnation(self.store, peer)) ^ (not ours)
            gone = [row for row in self.out[peer] if row[0] <= upto or any(a <= row[0] <= b for a, b in ranges)] if ours else []
            acked = self.do(self.store.acked(peer, "", identity, upto, ranges))
            assert sorted(int(message_id, 16) for message_id in acked) == sorted(row[1] for row in gone)
            self.out[peer] = [row for row in self.out[peer] if row not in gone]

    @rule(peer=peers, which=st.lists(seqs, unique=True, max_size=4))
    def bury(self, peer: str, which: list[int]) -> None:
        gone = [row for seq in which for row in self.out[peer] if row[0] == seq]
        assert [each.seq for each in self.do(self.store.bury(peer, "", which, "cancelled"))] == [row[0] for row in gone]
        self.bury_in_model(peer, gone)

    @rule(milliseconds=st.integers(0, 15))
    def pass_time(self, milliseconds: int) -> None:
        self.machine.now += milliseconds
        self.elapsed += milliseconds

    @rule()
    def expire(self) -> None:
        for peer in PEERS:
            gone = {row for row in self.out[peer] if row[2] <= self.elapsed}
            self.out[peer] = [row for row in self.out[peer] if row not in gone]
        self.do(self.store.expired())
        # In which order those of one call die is not promised.
        self.dead = [(each.direction, int.from_bytes(each.message_id, "big")) for each in self.do(self.store.dead(**ALL))]

    @rule(count=st.integers(0, 3))
    def receive(self, count: int) -> None:
        arrived = range(self.upto + 1, self.upto + count + 1)
        self.upto += count
        self.do(self.store.receive("tablet-9", "", 7, self.upto, [received(n, size=3) for n in arrived]))
        self.size.update({-n: 3 for n in arrived})
        self.inbox += arrived

    @rule(count=st.integers(0, 3))
    def take(self, count: int) -> None:
        items = self.do(self.store.inbox(0, most=max(1, count), most_bytes=1000))[:count]
        self.do(self.store.taken([item.id for item in items]))
        del self.inbox[:count]

    @rule()
    def reject(self) -> None:
        for item in self.do(self.store.inbox(0, most=1, most_bytes=1000)):
            self.do(self.store.reject(item.id, "poison"))
            self.dead = [*self.dead, ("in", self.inbox.pop(0))][-QUOTA.letters :]

    @rule(first=st.booleans())
    def retry(self, first: bool) -> None:
        letters = self.do(self.store.dead(**ALL))
        if not letters:
            return
        letter, (direction, number) = (letters[0], self.dead[0]) if first else (letters[-1], self.dead[-1])
        peer = letter.peer_name
        possible = direction == "in" or (self.has_room(peer, self.size[number]) and self.fits_in_all(number))
        assert self.do(self.store.retry([letter.id])).count == possible
        if possible:
            del self.dead[0 if first else -1]
            if direction == "in":
                self.inbox.append(number)
            else:
                self.append(peer, number, NEVER)

    @rule()
    def drop_all(self) -> None:
        assert self.do(self.store.drop([letter.id for letter in self.do(self.store.dead(**ALL))])) == len(self.dead)
        self.dead.clear()

    @rule(peer=peers)
    def purge(self, peer: str) -> None:
        assert self.do(self.store.purge(peer)) == len(self.out[peer])
        self.out[peer].clear()
        self.dead = [(each.direction, int.from_bytes(each.message_id, "big")) for each in self.do(self.store.dead(**ALL))]

    @rule()
    def reopen(self) -> None:
        self.do(self.store.aclose())
        self.open()

    @invariant()
    def both_are_the_same(self) -> None:
        for peer in PEERS:
            assert self.do(queued(self.store, peer)) == [row[:2] for row in self.out[peer]]
        assert [(each.direction, int.from_bytes(each.message_id, "big")) for each in self.do(self.store.dead(**ALL))] == self.dead
        assert [item.seq for item in self.do(self.store.inbox(0, **ALL))] == self.inbox
        assert {each.peer: each.last for each in self.do(self.store.outgoing())} == {peer: n for peer, n in self.last.items() if n}
        assert [position.upto for position in self.do(self.store.positions())] in ([], [self.upto])

    @invariant()
    def the_counters_are_exact(self) -> None:
        kept, there = self.do(self.store._engine.run(lambda db: (db.ledger.sums(), counted(db.connection).sums())))
        assert kept == there

    def teardown(self) -> None:
        self.do(self.store.aclose())
        self.loop.close()
        self.folder.cleanup()


TestTheStoreIsWhatItsModelIs = StoreAsDicts.TestCase
TestTheStoreIsWhatItsModelIs.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
