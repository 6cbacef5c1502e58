"""Durable messages between whole devices over the memory plugins: away, back, restarted, slow, hostile."""

from __future__ import annotations

import asyncio
import math

import pytest
from durable_devices import durable_device, heard, linked, running

from hallway import Peer
from hallway.errors import ClosedError, DeliveryFailed, MisuseError, OutboxFull, PeerUnavailable, StoreBusy
from hallway.events import Delivered, ErrorHappened, MessageReceived, PeerConnected, PeerDisconnected, Undelivered
from hallway.protocol.frames import Hello, decode
from hallway.protocol.parcels import Ack, Credit, Gap, Nak, Parcel, Parcels
from hallway.protocol.parcels import encode as encode_parcels
from hallway.runtime.delivery.incoming import WINDOW
from hallway.store import Store

HELLO = {"positions": [], "credit": [100, 1_000_000]}


@pytest.fixture
def make(request, tmp_path):
    """A device with a store of its own in a file; ``stored=False``: in memory."""

    def one(device_id: str, *, stored: bool = True, **delivery: int) -> Peer:
        return durable_device(device_id, request.node.name, str(tmp_path / device_id) if stored else None, **delivery)

    return one


@pytest.mark.parametrize("stored", [True, False], ids=["file", "memory"])
async def test_a_message_is_delivered_once_and_its_receipt_tells(make, stored):
    one, two = make("one", stored=stored), make("two", stored=stored)
    async with running(one, two):
        await linked(one, two)
        events = one.events(lambda event: isinstance(event, Delivered))
        receipt = await one.send_to_peer("TWO", {"room": 101, "picture": b"\x00"})
        async with asyncio.timeout(10):
            await receipt.delivered()
            assert await anext(events) == Delivered("two", receipt.id)
        assert await heard(two, 1) == [{"room": 101, "picture": b"\x00"}]
        await receipt.delivered()


async def test_what_is_sent_to_a_peer_that_is_away_arrives_when_it_is_back(make):
    one, two = make("one"), make("two")
    async with running(one):
        async with running(two):
            await linked(one, two)
            await (await one.send_to_peer("two", "before")).delivered()
            assert await heard(two, 1) == ["before"]
        receipts = [await one.send_to_peer("two", number) for number in range(100)]
        async with running(again := make("two")):
            assert await heard(again, 100) == list(range(100))
            for receipt in receipts:
                await receipt.delivered()


async def test_a_send_whose_caller_gives_up_is_delivered_all_the_same(make):
    one, two = make("one"), make("two")
    async with running(one, two):
        await linked(one, two)
        for text in ("first", "second"):
            sending = asyncio.create_task(one.send_to_peer("two", text))
            await asyncio.sleep(0)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert await heard(two, 1) == [text]


async def test_a_receipt_of_a_device_that_closes_waits_no_longer(make):
    one, two = make("one"), make("two")
    async with running(one):
        async with running(two):
            await linked(one, two)
        receipt = await one.send_to_peer("two", "away")
    with pytest.raises(ClosedError, match="before two had the message"):
        await receipt.delivered()


async def test_what_waits_outlives_a_restart_of_the_sender(make):
    one, two = make("one"), make("two")
    async with running(one, two):
        await linked(one, two)
    async with running(again := make("one")):
        for number in range(100):
            await again.send_to_peer("two", number)
    async with running(make("one"), last := make("two")):
        assert await heard(last, 100) == list(range(100))


async def test_what_the_application_has_not_had_yet_outlives_a_restart_of_the_receiver(make):
    one = make("one")
    async with running(one):
        async with running(two := make("two")):
            await linked(one, two)
            for number in range(10):
                await (await one.send_to_peer("two", number)).delivered()
            assert await heard(two, 3) == [0, 1, 2]
        async with running(again := make("two")):
            assert await heard(again, 7) == [3, 4, 5, 6, 7, 8, 9]


async def test_a_broadcast_reaches_those_who_are_away_and_names_those_whose_outbox_is_full(make):
    one, two, three = make("one", peer_messages=1), make("two"), make("three")
    async with running(one):
        async with running(two, three):
            await linked(one, two, three)
        sent = await one.broadcast("first")
        assert set(sent.ids) == {"two", "three"}
        assert len(set(sent.ids.values())) == 1
        assert sent.full == ()
        async with running(back := make("two")):
            assert await heard(back, 1) == ["first"]
            async with asyncio.timeout(10):
                await next(receipt for receipt in sent.receipts if receipt.peer_id == "two").delivered()
            second = await one.broadcast("second")
            assert set(second.ids) == {"two"}
            assert second.full == ("three",)
            with pytest.raises(OutboxFull, match="three"):
                await one.send_to_peer("three", "third")


async def test_a_message_that_has_expired_is_not_delivered_and_the_next_one_is(make):
    one, two = make("one"), make("two")
    async with running(one):
        async with running(two):
            await linked(one, two)
        events = one.events(lambda event: isinstance(event, Undelivered))
        old = await one.send_to_peer("two", "old", ttl=0.01)
        with pytest.raises(DeliveryFailed, match="expired"):
            await old.delivered()
        async with asyncio.timeout(10):
            assert await anext(events) == Undelivered("two", old.id, "expired")
        await one.send_to_peer("two", "new", ttl=600)
        async with running(back := make("two")):
            assert await heard(back, 1) == ["new"]


@pytest.mark.parametrize("ttl", [0, -1, 0.0, True, math.nan, math.inf, "60", [60]], ids=repr)
async def test_a_time_to_live_that_is_none_is_refused_and_nothing_is_sent(make, ttl):
    async with running(one := make("one")):
        for sending in (one.send_to_peer("two", 1, ttl=ttl), one.broadcast(1, ttl=ttl), one.broadcast(1, ttl=ttl, durable=False)):
            with pytest.raises(MisuseError, match="'ttl' is a number of seconds above 0") as refused:
                await sending
            assert not isinstance(refused.value, PeerUnavailable)


@pytest.mark.parametrize("ttl", [1e300, 10**400], ids=["1e300", "10**400"])
async def test_a_time_to_live_beyond_all_measure_is_a_long_one(make, ttl):
    one, two = make("one"), make("two")
    async with running(one, two):
        await linked(one, two)
        await one.send_to_peer("two", 1, ttl=ttl)
        assert await heard(two, 1) == [1]


async def test_a_peer_that_nobody_knows_is_refused_and_a_lost_one_without_durability_too(make):
    one, two = make("one"), make("two")
    async with running(one):
        with pytest.raises(PeerUnavailable, match="nothing is known"):
            await one.send_to_peer("nobody", 1)
        async with running(two):
            await linked(one, two)
            await one.send_to_peer("two", "now", durable=False)
            assert await heard(two, 1) == ["now"]
        with pytest.raises(PeerUnavailable):
            await one.send_to_peer("two", "now", durable=False)
    assert await asyncio.to_thread(lambda: True)


async def test_a_second_process_on_the_same_store_is_refused(make):
    async with running(make("one")):
        with pytest.raises(StoreBusy):
            await make("one").connect()


async def test_a_listener_that_fails_is_tried_three_times_and_the_stream_goes_on(make, tmp_path):
    one, two = make("one"), make("two")
    tried, fine = [], asyncio.Event()

    async def listener(_: str, message: object) -> None:
        tried.append(message)
        if message == "poison":
            raise ValueError("cannot read this")
        fine.set()

    two.on("message", listener)
    letters = two.events(lambda event: isinstance(event, ErrorHappened))
    async with running(one, two), asyncio.timeout(10):
        await linked(one, two)
        await one.send_to_peer("two", "poison")
        await one.send_to_peer("two", "food")
        await fine.wait()
        assert (await anext(letters)).code == "dead-letter"
    store = await Store.open(str(tmp_path / "two"))
    (letter,) = await store.dead(direction="in")
    assert (letter.peer_name, letter.body, letter.reason) == ("one", b"\xa6poison", "the listener failed: ValueError('cannot read this')")
    await store.aclose()
    assert sorted(tried) == ["food", "poison", "poison", "poison"]
    async with running(again := make("two")):
        unread = again.messages()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await anext(unread)


async def test_what_a_listener_has_in_hand_when_the_device_closes_is_handed_out_again(make):
    one, two = make("one"), make("two")
    began = asyncio.Event()

    async def listener(_: str, message: object) -> None:
        began.set()
        await asyncio.Event().wait()

    two.on("message", listener)
    async with running(one):
        async with running(two), asyncio.timeout(10):
            await linked(one, two)
            await (await one.send_to_peer("two", "in hand")).delivered()
            await began.wait()
        async with running(again := make("two")):
            assert await heard(again, 1) == ["in hand"]


async def test_two_thousand_messages_and_a_proper_exit_are_delivered_or_stored(make):
    one, two = make("one"), make("two")
    async with running(two):
        async with running(one):
            await linked(one, two)
            for number in range(2000):
                await one.send_to_peer("two", number)
        first = await heard(two, 1)
        async with running(make("one")):
            assert first + await heard(two, 1999) == list(range(2000))


async def test_a_receiver_whose_application_does_not_read_holds_the_sender_back_and_loses_nothing(make):
    one, two = make("one"), make("two")
    async with running(one, two):
        await linked(one, two)
        for number in range(3000):
            await one.send_to_peer("two", [number, "x" * 10_000])
        assert [number for number, _ in await heard(two, 3000)] == list(range(3000))


class TestAReaderThatIsLeft:
    @pytest.fixture
    async def two(self, make):
        """A device to which three messages have come."""
        one, two = make("one"), make("two")
        async with running(one, two):
            await linked(one, two)
            for number in range(3):
                await (await one.send_to_peer("two", number)).delivered()
            yield two

    @staticmethod
    async def first(inbox) -> object:
        async for _, message in inbox:
            return message
        raise AssertionError("nothing has come")

    async def test_within_async_with_has_dealt_with_its_last_message(self, two):
        async with two.messages() as inbox:
            assert await self.first(inbox) == 0
        assert await heard(two, 2) == [1, 2]

    async def test_by_an_exception_gets_it_again(self, two):
        with pytest.raises(KeyError):
            async with two.messages() as inbox:
                raise KeyError(await self.first(inbox))
        assert await heard(two, 3) == [0, 1, 2]

    async def test_without_async_with_gets_it_again(self, two):
        inbox = two.messages()
        assert await self.first(inbox) == 0
        await inbox.aclose()
        assert await heard(two, 3) == [0, 1, 2]

    async def test_gets_none_again_that_it_has_said_to_be_done(self, two):
        inbox = two.messages()
        inbox.done()
        assert await self.first(inbox) == 0
        inbox.done()
        inbox.close()
        assert await heard(two, 2) == [1, 2]


async def test_what_a_reader_has_said_to_be_done_is_not_handed_out_after_a_restart(make):
    async with running(one := make("one")):
        async with running(two := make("two")):
            await linked(one, two)
            for number in range(2):
                await (await one.send_to_peer("two", number)).delivered()
            inbox = two.messages()
            await anext(inbox)
            inbox.done()
        async with running(again := make("two")):
            assert await heard(again, 1) == [1]


class TestHostilePeers:
    """A stranger with a delivery layer of its own."""

    async def link(self, one, **section):
        channel = await one.dial("tablet-1")
        hello = {"sections": {"delivery": HELLO | section}}
        assert isinstance(await one.greet(channel, "tablet-1", **hello), Hello)
        return channel

    @pytest.mark.parametrize(
        "section", [{"credit": None}, {"credit": [1]}, {"credit": [-1, 1]}, {"positions": [[1]]}, {"positions": 5}], ids=repr
    )
    async def test_a_malformed_hello_ends_the_link(self, device, stranger, events, section):
        await self.link(stranger(), **section)
        assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "protocol")

    @pytest.mark.parametrize(
        "frame",
        [
            Ack("", 1, 5, Credit(1, 1)),
            Ack("other", 1, 0, Credit(1, 1)),
            Gap("", 1, 5, 6),
            Parcels("", 1, (Parcel(2, bytes(16), None, b"\x01"),)),
        ],
        ids=["ack of nothing", "ack of no stream", "gap with a hole", "hole"],
    )
    async def test_one_that_breaks_the_rules_ends_its_link_and_no_other(self, device, stranger, events, frame):
        good = await self.link(stranger("good"))
        bad = await self.link(stranger("bad"))
        await events.first(PeerConnected)
        await bad.send(encode_parcels(frame))
        assert await events.first(PeerDisconnected) == PeerDisconnected("bad", "protocol")
        await good.send(encode_parcels(Parcels("", 1, (Parcel(1, bytes(16), None, b"\x05"),))))
        assert (await anext(device.messages())) == ("good", 5)
        assert device.connected_peers == ("good",)

    async def test_a_body_that_cannot_be_read_becomes_a_dead_letter(self, device, stranger, events):
        channel = await self.link(stranger())
        await channel.send(encode_parcels(Parcels("", 1, (Parcel(1, bytes(16), None, b"\xc1"), Parcel(2, bytes(16), None, b"\x07")))))
        assert (await events.first(ErrorHappened)).code == "dead-letter"
        assert (await events.first(MessageReceived)).message == 7

    async def test_one_that_cannot_use_a_message_makes_it_a_dead_letter_of_its_sender(self, device, stranger, events):
        channel = await self.link(stranger())
        await events.first(PeerConnected)
        heard = []
        device.on("undelivered", heard.append)
        receipt = await device.send_to_peer("stranger", "x")
        while not isinstance(frame := decode(await channel.receive()), Parcels):
            pass
        await channel.send(encode_parcels(Nak("", frame.incarnation, 1, "it makes no sense")))
        assert await events.first(Undelivered) == Undelivered("stranger", receipt.id, "it makes no sense")
        assert heard == [Undelivered("stranger", receipt.id, "it makes no sense")]
        with pytest.raises(DeliveryFailed, match="it makes no sense"):
            await receipt.delivered()

    async def test_one_that_sends_beyond_its_credit_ends_its_link(self, device, stranger, events):
        channel = await self.link(stranger())
        parcels = tuple(Parcel(seq, bytes(16), None, b"\x01") for seq in range(1, 1025))
        for frame in range(WINDOW.messages // 1024 + 1):
            await channel.send(encode_parcels(Parcels("", 1, tuple(parcel._replace(seq=parcel.seq + 1024 * frame) for parcel in parcels))))
        assert await events.first(PeerDisconnected) == PeerDisconnected("stranger", "protocol")
