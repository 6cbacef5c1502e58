"""Loss and outages: connecting in spite of them, and nothing lost or late because of them."""

from __future__ import annotations

import asyncio
import contextlib
import time

from aioice import Candidate as IceCandidate
from aioice.ice import CandidatePair
from aiortc.rtcsctptransport import InitChunk, SackChunk

from hallway.model import IcePolicy, Path
from hallway.network import InterfacePolicy
from hallway_aiortc_channel.recovery import LAN, LONGEST
from hallway_aiortc_channel.repeats import MAX_REPEATED

ATTEMPT = 1.5
"""Seconds that a link gives one attempt on the LAN."""
OUTAGE = 3.0


class Air:
    """The network between two ends: what reaches their sockets, and what does not."""

    def __init__(self, *sessions) -> None:
        self.cut = False
        self.lose_first = False
        self._seen: set[bytes] = set()
        for session in sessions:
            for protocol in session.connection._protocols:
                self._stand_before(protocol)

    def _stand_before(self, protocol) -> None:
        receive = protocol.datagram_received

        def received(data: bytes, addr: tuple[str, int]) -> None:
            if not self._is_lost(data):
                receive(data, addr)

        protocol.datagram_received = received

    def _is_lost(self, data: bytes) -> bool:
        known = data in self._seen
        self._seen.add(data)
        return self.cut or (self.lose_first and not known)


async def meeting(bench, air_loses: bool):
    """Two ends that connect, and the air between them."""
    dialing = await bench.connector(interfaces=InterfacePolicy(allow=("lo*",))).dial(IcePolicy.LAN)
    answer, answering = await bench.connector(interfaces=InterfacePolicy(allow=("lo*",))).answer(dialing.offer, IcePolicy.LAN)
    air = Air(dialing._session, answering._session)
    air.lose_first = air_loses
    offering = await dialing.accept(answer)
    bench.channels += [offering, answering]
    return offering, answering, air


async def test_a_channel_opens_within_one_attempt_although_every_datagram_is_lost_once(bench):
    offering, answering, air = await meeting(bench, air_loses=True)
    end = asyncio.get_running_loop().time() + ATTEMPT
    await asyncio.gather(offering.opened(end), answering.opened(end))
    air.lose_first = False
    await offering.send("through")
    assert await answering.receive() == "through"


async def test_what_is_sent_twice_while_connecting_is_bounded_and_over_once_the_channel_is_open(bench, deadline):
    offering, answering, _ = await meeting(bench, air_loses=False)
    repeats = offering._session.connection._repeats
    for _ in range(2 * MAX_REPEATED):
        repeats.take(lambda: None)
    assert len(repeats._repeats) == MAX_REPEATED
    await asyncio.gather(offering.opened(deadline()), answering.opened(deadline()))
    fresh = answering._session.connection._repeats
    before = len(fresh._repeats)
    await answering.send("once")
    await offering.receive()
    assert len(fresh._repeats) == before < MAX_REPEATED


async def count_up(channel, size: int, pause: float) -> None:
    for number in range(1_000_000):
        await channel.send(b"%d:" % number + bytes(size))
        await asyncio.sleep(pause)


class Counted:
    """Reads numbered messages, and fails at the first that is not the next."""

    def __init__(self, channel) -> None:
        self.next = 0
        self._channel = channel

    async def run(self) -> None:
        while True:
            number = int((await self._channel.receive()).partition(b":")[0])
            assert number == self.next
            self.next += 1


async def test_an_outage_ends_no_channel_and_loses_nothing_in_bulk_or_trickle(bench, until):
    """And it is over soon: no timer waits longer than a fraction of a second when the network comes back."""
    bulk, trickle = await bench.connect(), await bench.connect()
    airs = [Air(pair.offering._session, pair.answering._session) for pair in (bulk, trickle)]
    counted = [Counted(bulk.answering), Counted(trickle.answering)]
    working = [asyncio.create_task(one.run()) for one in counted]
    working.append(asyncio.create_task(count_up(bulk.offering, 16_000, 0)))
    working.append(asyncio.create_task(count_up(trickle.offering, 20, 0.02)))
    await until(lambda: all(one.next > 20 for one in counted))
    for air in airs:
        air.cut = True
    await asyncio.sleep(OUTAGE)
    assert [pair.offering._session.sctp._rto <= 2 * LAN.lowest for pair in (bulk, trickle)] == [True, True]
    before = [one.next for one in counted]
    for air in airs:
        air.cut = False
    await until(lambda: all(one.next > seen + 20 for one, seen in zip(counted, before, strict=True)))
    for task in working:
        task.cancel()
    for outcome in await asyncio.gather(*working, return_exceptions=True):
        assert isinstance(outcome, asyncio.CancelledError)


async def test_what_is_acknowledged_after_a_gap_is_progress_and_counted_once(pair, until):
    sctp = pair.offering._session.sctp
    await until(lambda: not sctp._sent_queue)
    start, base = sctp.acknowledged_bytes, sctp._last_sacked_tsn
    with held_back(sctp):
        for _ in range(3):
            await pair.offering.send(bytes(1000))
        await until(lambda: len(sctp._sent_queue) == 3)
        await sctp._receive_sack_chunk(sack(base, gaps=[(2, 3)]))
        assert sctp.acknowledged_bytes - start == 2000
        await sctp._receive_sack_chunk(sack(base))
        assert sctp.acknowledged_bytes - start == 2000
        await sctp._receive_sack_chunk(sack(base + 3))
    assert pair.offering.acknowledged_bytes - start == 3000


def sack(cumulative: int, gaps: list[tuple[int, int]] | None = None) -> SackChunk:
    chunk = SackChunk()
    chunk.cumulative_tsn, chunk.advertised_rwnd, chunk.gaps = cumulative % 2**32, 1 << 20, gaps or []
    return chunk


@contextlib.contextmanager
def held_back(sctp):
    """Nothing that SCTP sends leaves this end."""

    async def hold(chunk) -> None:
        return None

    sctp._send_chunk = hold
    yield
    del sctp._send_chunk


async def test_a_repeated_init_forgets_nothing(pair):
    """aiortc sends its INIT again when the answer is late, and the copy may come after data."""
    for number in range(5):
        await pair.offering.send(str(number))
        await pair.answering.receive()
    sctp, peer = pair.answering._session.sctp, pair.offering._session.sctp
    init = InitChunk()
    init.initiate_tag, init.initial_tsn = peer._local_verification_tag, (peer._local_tsn - 6) % 2**32
    init.advertised_rwnd, init.outbound_streams, init.inbound_streams = 1 << 20, 65535, 65535
    before = sctp._last_received_tsn
    await sctp._receive_chunk(init)
    assert sctp._last_received_tsn == before
    await pair.offering.send("after it")
    assert await pair.answering.receive() == "after it"


async def test_a_clock_that_is_set_is_no_round_trip(pair, monkeypatch):
    sctp = pair.offering._session.sctp
    for jump in (3600.0, -3600.0):
        sctp._update_rto(jump)
        assert LAN.lowest <= sctp._rto <= LAN.highest
    for _ in range(50):
        sctp._update_rto(0.001)
    assert sctp._rto == LAN.lowest
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 86_400)
    await pair.offering.send("in another day")
    assert await pair.answering.receive() == "in another day"


async def test_silence_keeps_the_pace_and_late_acknowledgements_slow_it_down(pair, until):
    sctp = pair.offering._session.sctp
    await until(lambda: not sctp._sent_queue)
    sctp._rto = LAN.lowest
    with held_back(sctp):
        sctp._t3_start()
        for _ in range(20):
            sctp._t3_cancel()
            sctp._t3_expired()
        assert sctp._rto == LAN.lowest
        for _ in range(20):
            sctp._heard = True
            sctp._t3_expired()
        assert sctp._rto == LAN.highest


async def test_setting_up_is_not_given_up_and_waits_ever_longer(pair):
    sctp = pair.offering._session.sctp
    with held_back(sctp):
        sctp._t1_start(InitChunk())
        assert sctp._rto == LAN.initial
        for _ in range(50):
            sctp._t1_handle.cancel()
            sctp._t1_expired()
        assert sctp._association_state is sctp.State.ESTABLISHED
        assert sctp._rto == LAN.initial * LONGEST
        sctp._t1_cancel()
        await asyncio.sleep(0)


async def path_over(bench, local: str, remote: str, host: str) -> Path:
    """What the path says of a pair of candidates of these types."""
    dialing = await bench.connector(interfaces=InterfacePolicy(allow=("lo*",))).dial(IcePolicy.LAN)
    connection = dialing._session.connection
    protocol = connection._protocols[0]
    protocol.local_candidate.type = local
    connection._nominated[1] = CandidatePair(protocol, IceCandidate("1", 1, "udp", 1, host, 9, remote))
    path = connection.path
    await dialing.aclose()
    assert path is not None
    return path


async def test_a_path_is_distant_over_a_relay_a_reflexive_candidate_or_an_address_of_elsewhere(bench):
    near = [("host", "host", "127.0.0.9"), ("host", "prflx", "192.168.7.7"), ("host", "host", "10.1.2.3")]
    far = [
        ("relay", "host", "127.0.0.9"),
        ("host", "relay", "192.168.7.7"),
        ("host", "srflx", "192.168.7.7"),
        ("host", "prflx", "203.0.113.9"),
        ("host", "host", "203.0.113.9"),
    ]
    assert [(await path_over(bench, *each)).distant for each in near] == [False] * len(near)
    assert [(await path_over(bench, *each)).distant for each in far] == [True] * len(far)


async def test_the_path_is_read_live_and_ends_with_the_channel(pair):
    connection = pair.offering._session.connection
    before = pair.offering.path
    (nominated,) = connection._nominated.values()
    connection._nominated[1] = CandidatePair(nominated.protocol, IceCandidate("1", 1, "udp", 1, "203.0.113.9", 9, "srflx"))
    assert pair.offering.path == Path(before.local, "203.0.113.9", distant=True)
    connection._nominated[1] = nominated
    await pair.offering.aclose()
    assert pair.offering.path is None
