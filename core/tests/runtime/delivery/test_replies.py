"""What peers reply, however often they say it, and what the store gets to know of it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from faulty_store import Slow

from hallway.errors import BadFrame, DeliveryFailed
from hallway.protocol import packed
from hallway.protocol.parcels import Ack, Credit, Nak, Parcels, decode
from hallway.runtime.delivery import replies
from hallway.runtime.delivery.layer import Delivery
from hallway.runtime.delivery.replies import _union
from hallway.runtime.publishing.publisher import Publisher
from hallway.runtime.tasks import TaskSet
from hallway.store import Store

CREDIT = Credit(1000, 1_000_000)
NEVER = "it never will"


class Rig:
    """A delivery layer that has sent messages to a peer, whose replies the test makes up."""

    def __init__(self, store: Store) -> None:
        self.store, self.calls = store, Counter[str]()
        self.crashes: list[BaseException] = []
        self.tasks = TaskSet(lambda _, error: self.crashes.append(error))
        self.delivery = Delivery(store, Publisher(None, observes_messages=False), self.tasks, 1e6)
        self.sent: list[Parcels] = []

    def up(self, positions: list[object] | None = None, credit: Credit = CREDIT) -> None:
        section = {"positions": positions or [], "credit": [credit.messages, credit.bytes]}
        self.delivery.up("b", section, lambda data: self.sent.append(decode(data)), 65536)

    async def send(self, *values: object) -> list[object]:
        return [await self.delivery.posting.put_one(packed.pack(value), "b", None) for value in values]

    @property
    def incarnation(self) -> int:
        return self.sent[-1].incarnation

    def acknowledge(self, upto: int, *ranges: tuple[int, int], times: int = 1) -> None:
        for _ in range(times):
            self.delivery.received("b", Ack("", self.incarnation, upto, CREDIT, ranges))

    def refuse(self, seq: int, *, times: int = 1, incarnation: int | None = None) -> None:
        for _ in range(times):
            self.delivery.received("b", Nak("", self.incarnation if incarnation is None else incarnation, seq, NEVER))

    async def settled(self) -> None:
        async with asyncio.timeout(20):
            await self.delivery._replies.settled("b", "")

    async def waiting(self) -> list[int]:
        return [row.seq for row in await self.store.waiting("b", "", 0, most=100, most_bytes=1_000_000)]


@pytest.fixture
async def rig(monkeypatch):
    store = await Store.open(None)
    rig = Rig(store)
    for name in ("acked", "bury", "renew"):
        count_calls(monkeypatch, name, rig.calls)
    await rig.delivery.start()
    rig.up()
    yield rig
    await rig.tasks.aclose()
    await store.aclose()
    assert rig.crashes == []


def count_calls(monkeypatch, name, calls):
    real = getattr(Store, name)

    async def counted(store, *arguments, **options):
        calls[name] += 1
        return await real(store, *arguments, **options)

    monkeypatch.setattr(Store, name, counted)


async def test_replies_without_end_make_no_more_work_than_the_store_can_do(rig, monkeypatch):
    await rig.send(*range(10))
    slow = Slow(monkeypatch, "acked")
    before = len(asyncio.all_tasks())
    rig.acknowledge(1)
    await slow.called.wait()
    rig.acknowledge(2, (4, 5), times=5000)
    rig.acknowledge(2, (7, 7), times=5000)
    rig.refuse(9, times=5000)
    assert len(asyncio.all_tasks()) <= before + 1
    slow.go_on()
    await rig.settled()
    assert rig.calls == {"acked": 2, "bury": 1}
    assert await rig.waiting() == [3, 6, 8, 10]
    assert [(letter.seq, letter.reason) for letter in await rig.store.dead()] == [(9, NEVER)]


async def test_each_reply_settles_its_receipt(rig):
    first, second, third = await rig.send("taken", "refused", "waits")
    rig.refuse(2)
    rig.acknowledge(1)
    await rig.settled()
    await first.delivered()
    with pytest.raises(DeliveryFailed, match=NEVER):
        await second.delivered()
    assert await rig.waiting() == [3]
    rig.acknowledge(3)
    await third.delivered()


async def test_what_was_refused_is_not_delivered_by_the_acknowledgement_that_goes_past_it(rig):
    first, second, third = await rig.send("taken", "refused", "taken")
    rig.refuse(2)
    rig.acknowledge(3)
    await first.delivered()
    await third.delivered()
    with pytest.raises(DeliveryFailed, match=NEVER):
        await second.delivered()
    assert [letter.seq for letter in await rig.store.dead()] == [2]
    assert await rig.waiting() == []


async def test_of_more_ranges_than_are_noted_the_rest_is_forgotten_with_all_before_it(rig, monkeypatch):
    monkeypatch.setattr(replies, "MOST_RANGES", 2)
    await rig.send(*range(8))
    slow = Slow(monkeypatch, "acked")
    rig.acknowledge(1)
    await slow.called.wait()
    for seq in (7, 3, 5):
        rig.acknowledge(1, (seq, seq))
    slow.go_on()
    await rig.settled()
    assert await rig.waiting() == [2, 4, 6, 7, 8]
    rig.acknowledge(8)
    await rig.settled()
    assert await rig.waiting() == []


async def test_what_was_acknowledged_is_forgotten_before_its_stream_is_renewed(rig, monkeypatch):
    """Under its new number it would be sent again, and the peer would have it twice."""
    await rig.send("one", "two", "three")
    incarnation = rig.incarnation
    slow = Slow(monkeypatch, "acked")
    rig.acknowledge(1)
    await slow.called.wait()
    rig.acknowledge(2)
    rig.delivery.down("b")
    # It has more than was ever sent: this store is an old copy.
    rig.up([["", incarnation, 1000]])
    for _ in range(5):
        await asyncio.sleep(0)
    assert rig.calls["renew"] == 0
    slow.go_on()
    sent = len(rig.sent)
    async with asyncio.timeout(20):
        while len(rig.sent) == sent:
            await asyncio.sleep(0)
    assert rig.incarnation != incarnation
    assert [packed.unpack(parcel.body) for parcel in rig.sent[-1].parcels] == ["three"]


class PlainLink:
    """A link to a device without an inbox, and what went over it."""

    def __init__(self) -> None:
        self.sent: list[object] = []

    async def send(self, body: bytes) -> str:
        self.sent.append(packed.unpack(body))
        return ""

    def check(self, body: bytes) -> None:
        """It takes all."""


async def test_what_was_acknowledged_is_forgotten_before_the_rest_goes_to_a_peer_that_has_no_inbox_any_more(rig, monkeypatch):
    await rig.send("one", "two", "three")
    slow, link = Slow(monkeypatch, "acked"), PlainLink()
    rig.acknowledge(1)
    await slow.called.wait()
    rig.acknowledge(2)
    rig.delivery.up_plain("b", link)
    slow.go_on()
    async with asyncio.timeout(20):
        while "three" not in link.sent:
            await asyncio.sleep(0)
    assert link.sent == ["three"]


async def test_what_was_refused_in_an_incarnation_that_is_over_is_not_what_has_the_number_now(rig):
    await rig.send("one")
    rig.refuse(1, incarnation=rig.incarnation ^ 1)
    await rig.settled()
    assert await rig.waiting() == [1]
    assert rig.calls == {}


async def test_replies_to_what_a_lost_store_has_sent_tell_of_room_and_of_nothing_else(rig):
    rig.up([["", 7, 3]], credit=Credit(0, 0))
    rig.delivery.received("b", Nak("", 7, 4, NEVER))
    rig.delivery.received("b", Ack("", 7, 5, CREDIT))
    await rig.send("first")
    assert [packed.unpack(parcel.body) for parcel in rig.sent[-1].parcels] == ["first"]
    assert rig.calls == {}


@pytest.mark.parametrize("reply", [Ack("another", 7, 5, CREDIT), Nak("another", 7, 5, NEVER)])
async def test_replies_in_a_stream_of_which_the_peer_has_said_nothing_break_the_protocol(rig, reply):
    rig.up([["", 7, 3]])
    with pytest.raises(BadFrame, match="in which nothing was sent"):
        rig.delivery.received("b", reply)


@pytest.mark.parametrize(
    ("ranges", "joined"),
    [
        ([], ()),
        ([(4, 5), (1, 2)], ((1, 2), (4, 5))),
        ([(1, 2), (3, 5)], ((1, 5),)),
        ([(1, 9), (2, 3), (8, 12)], ((1, 12),)),
        ([(7, 7), (7, 7), (9, 9)], ((7, 7), (9, 9))),
    ],
)
def test_ranges_are_joined(ranges, joined):
    assert _union(ranges) == joined
