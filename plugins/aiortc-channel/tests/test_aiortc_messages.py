"""The channel contract, over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from hallway.errors import BadMessage, BusyError, ChannelClosed, ClosedError, DeadlineExceeded, MessageTooLarge
from hallway.model import Binding, IcePolicy
from hallway.webrtc.arrivals import READ_AHEAD
from hallway_aiortc_channel import channel as channel_module


async def test_text_and_bytes_arrive_as_they_were_sent(pair):
    sent = ["grüße", b"\x00\xff", "", b"", "x" * 100_000, b"y" * 262_144]
    for message in sent:
        await pair.offering.send(message)
    assert [await pair.answering.receive() for _ in sent] == sent


async def test_both_ends_may_send_first(pair):
    await asyncio.gather(pair.offering.send("from the offerer"), pair.answering.send("from the answerer"))
    assert await pair.answering.receive() == "from the offerer"
    assert await pair.offering.receive() == "from the answerer"


async def test_messages_that_arrive_before_a_reader_are_kept(pair, until):
    for number in range(20):
        await pair.offering.send(str(number))
    await until(lambda: pair.offering.buffered == 0)
    assert [await pair.answering.receive() for _ in range(20)] == [str(number) for number in range(20)]


async def test_concurrent_senders_keep_the_order_of_their_calls(pair):
    body = "." * 30_000
    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(pair.offering.send(f"{number}{body}"))
        received = [await pair.answering.receive() for _ in range(40)]
    assert [message.rstrip(".") for message in received] == [str(number) for number in range(40)]


async def test_no_more_is_taken_in_while_the_reader_is_busy(pair, until, monkeypatch):
    monkeypatch.setattr(channel_module, "READING", 60.0)
    sent = [bytes([number]) * 65_536 for number in range(48)]
    sending = asyncio.create_task(in_order(pair.offering, sent))
    first = await pair.answering.receive()
    await until(lambda: pair.answering._intake.arrivals.crowded and pair.answering._session.connection._queue.qsize() > 0)
    # It is busy with the first one; the peer has nothing more under way than one window.
    assert pair.answering._intake.arrivals.size < READ_AHEAD + 2 * 65_536
    assert [first, *[await pair.answering.receive() for _ in sent[1:]]] == sent
    await sending


async def test_who_does_not_read_at_all_still_acknowledges(pair, until):
    sent = [bytes([number]) * 65_536 for number in range(48)]
    await in_order(pair.offering, sent)
    await until(lambda: pair.offering.buffered == 0)
    assert [await pair.answering.receive() for _ in sent] == sent


async def in_order(channel, messages):
    for message in messages:
        await channel.send(message)


async def test_closing_right_after_sending_delivers_everything(pair):
    async def read() -> int:
        count = 0
        try:
            while True:
                assert len(await pair.answering.receive()) == 1000
                count += 1
        except ChannelClosed:
            return count

    reading = asyncio.create_task(read())
    for _ in range(2000):
        await pair.offering.send(bytes(1000))
    await pair.offering.aclose(asyncio.get_running_loop().time() + 10)
    assert await reading == 2000


async def test_what_arrived_before_the_end_is_still_handed_out(pair):
    await pair.offering.send("last words")
    await pair.offering.aclose()
    assert await pair.answering.receive() == "last words"
    with pytest.raises(ChannelClosed, match="the peer closed"):
        await pair.answering.receive()


async def test_a_waiting_receive_wakes_when_the_peer_closes(pair):
    reading = asyncio.create_task(pair.answering.receive())
    await asyncio.sleep(0)
    await pair.offering.aclose()
    with pytest.raises(ChannelClosed):
        await reading


async def test_a_waiting_receive_wakes_when_we_close(pair):
    reading = asyncio.create_task(pair.answering.receive())
    await asyncio.sleep(0)
    await pair.answering.aclose()
    with pytest.raises(ClosedError):
        await reading
    with pytest.raises(ClosedError):
        await pair.answering.send("too late")


async def test_sending_into_an_ended_channel_says_so(pair):
    await pair.answering.aclose()
    with pytest.raises(ChannelClosed):
        await pair.offering.receive()
    with pytest.raises(ChannelClosed):
        await pair.offering.send("into the void")


async def test_only_one_task_may_receive(pair):
    reading = asyncio.create_task(pair.answering.receive())
    await asyncio.sleep(0)
    with pytest.raises(BusyError):
        await pair.answering.receive()
    await pair.offering.send("one")
    assert await reading == "one"


async def test_a_cancelled_receive_loses_nothing(pair):
    reading = asyncio.create_task(pair.answering.receive())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    await pair.offering.send("kept")
    assert await pair.answering.receive() == "kept"


async def test_a_message_above_the_limit_is_refused_before_it_is_sent(pair):
    assert pair.offering.max_message == 262_144
    with pytest.raises(MessageTooLarge):
        await pair.offering.send(bytes(262_145))
    with pytest.raises(MessageTooLarge):
        await pair.offering.send("ü" * 131_073)
    with pytest.raises(BadMessage):
        await pair.offering.send("\ud800")
    await pair.offering.send("fits")
    assert await pair.answering.receive() == "fits"


async def test_the_binding_names_both_certificates_alike_on_both_ends(pair):
    offering, answering = pair.offering.binding, pair.answering.binding
    assert offering == Binding(answering.remote, answering.local)
    assert offering.local.startswith("sha-256 ")
    assert offering.local != offering.remote


async def test_a_fast_sender_waits_and_resumes(pair, until):
    """The answerer's loop is the same as the offerer's, so a sender that never waited would never let it read."""
    highest = 0

    async def flood() -> None:
        nonlocal highest
        for _ in range(300):
            await pair.offering.send(bytes(16_384))
            highest = max(highest, pair.offering.buffered)

    flooding = asyncio.create_task(flood())
    for _ in range(300):
        await pair.answering.receive()
    await flooding
    assert highest <= 1024 * 1024 + 16_384
    await until(lambda: pair.offering.buffered == 0)


async def test_a_cancelled_send_sends_all_or_nothing(pair):
    sending = [asyncio.create_task(pair.offering.send(f"{number}" + "." * 60_000)) for number in range(30)]
    await asyncio.sleep(0)
    for task in sending[1::2]:
        task.cancel()
    done = await asyncio.gather(*sending, return_exceptions=True)
    await pair.offering.send("end")
    received = []
    while (message := await pair.answering.receive()) != "end":
        assert len(message.lstrip("0123456789")) == 60_000
        received.append(int(message.rstrip(".")))
    assert received == sorted(received)
    assert {number for number, result in enumerate(done) if result is None} <= set(received)


async def test_a_reader_that_never_comes_ends_the_channel_at_16_mib(pair, until):
    async def flood() -> None:
        while True:
            await pair.offering.send(bytes(262_144))

    with pytest.raises(ChannelClosed):
        await flood()
    kept = [await pair.answering.receive() for _ in range(63)]
    assert sum(map(len, kept)) <= 16 * 1024 * 1024
    with pytest.raises(ChannelClosed, match="broke the protocol"):
        await pair.answering.receive()


async def test_a_channel_whose_answer_never_comes_does_not_open(bench):
    dialing = await bench.connector().dial(IcePolicy.LAN)
    _, answering = await bench.connector().answer(dialing.offer, IcePolicy.LAN)
    with pytest.raises(DeadlineExceeded):
        await answering.opened(asyncio.get_running_loop().time() + 0.05)
    await answering.aclose()
    await dialing.aclose()
    await dialing.aclose()


async def test_closing_twice_is_silent(pair):
    await pair.offering.aclose()
    await pair.offering.aclose()
    await asyncio.gather(pair.answering.aclose(), pair.answering.aclose())


async def test_both_ends_may_close_at_once(pair):
    await asyncio.gather(pair.offering.aclose(), pair.answering.aclose())


async def test_what_fails_at_this_end_is_not_called_an_end_by_the_peer(pair, monkeypatch):
    def fail(data: bytes) -> bool:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(pair.answering._session.connection, "read", fail)
    await pair.offering.send("hello")
    with pytest.raises(ChannelClosed, match="the channel failed: RuntimeError: a mistake of ours"):
        await pair.answering.receive()
