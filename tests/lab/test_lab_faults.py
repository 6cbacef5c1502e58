"""Each fault does what it says, to real sockets, and is gone when it is restored.

What must not arrive is proved without waiting: the network keeps the order, so what arrives next shows that all before it was lost.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from netlab import DNS_ADDRESS, INTERNET_ADDRESS, Fault, Host, Internet, Lab, Process, matching
from netlab.faults import Direction

PROBE = (sys.executable, "-P", str(Path(__file__).parent / "probe.py"))
MDNS = "224.0.0.251"
QUESTIONS = pytest.mark.parametrize(
    ("question", "address", "port"), [("call", INTERNET_ADDRESS, 80), ("ask", INTERNET_ADDRESS, 3478), ("ask", DNS_ADDRESS, 53)]
)


async def outcome(host: Host, question: str, address: str, port: int, patience: float = 15) -> str:
    """What becomes of a datagram (``ask``) or a connection attempt (``call``) within ``patience`` seconds."""
    probe = await host.spawn([*PROBE, question, address, str(port), str(patience)])
    line = await probe.read_json_line()
    await probe.wait()
    return str(line["outcome"])


async def silent(host: Host, question: str, address: str, port: int) -> bool:
    """Whether nothing at all comes back for a while, which is endless beside the microseconds that an answer takes here."""
    return await outcome(host, question, address, port, patience=0.3) == "silence"


@asynccontextmanager
async def listening(host: Host | Internet, port: int = 9000, *group: str) -> AsyncIterator[Process]:
    listener = await host.spawn([*PROBE, "listen", host.address, str(port), *group])
    await listener.wait_for(matching(event="ready"))
    yield listener
    await listener.terminate()


async def text_of(listener: Process) -> str:
    return str((await listener.read_json_line())["text"])


async def send(host: Host, to: Host | Internet, text: str, count: int = 1, port: int = 9000) -> None:
    assert (await host.run([*PROBE, "send", to.address, str(port), text, str(count)])).status == 0


async def shout(host: Host, text: str) -> None:
    assert (await host.run([*PROBE, "shout", MDNS, host.address, "5353", text])).status == 0


async def test_an_internet_that_works_answers(lab: Lab) -> None:
    host = lab.lan().host("tablet-1")
    assert await outcome(host, "call", INTERNET_ADDRESS, 80) == "ECONNREFUSED"
    assert await outcome(host, "ask", DNS_ADDRESS, 53) == "ECONNREFUSED"


@QUESTIONS
@pytest.mark.parametrize(
    ("fault", "expected"),
    [(Lab.cut_wan, "ENETUNREACH"), (Lab.reject_wan, "EHOSTUNREACH")],
    ids=["cut", "rejected"],
)
async def test_a_wan_that_is_cut_or_rejected_is_an_error_until_it_comes_back(
    lab: Lab, fault: Callable[[Lab], Fault], expected: str, question: str, address: str, port: int
) -> None:
    host = lab.lan().host("tablet-1")
    with fault(lab):
        assert await outcome(host, question, address, port) == expected
    assert await outcome(host, question, address, port) == "ECONNREFUSED"


@QUESTIONS
async def test_a_black_hole_is_silence_until_it_is_restored(lab: Lab, question: str, address: str, port: int) -> None:
    host = lab.lan().host("tablet-1")
    with lab.black_hole_wan():
        assert await silent(host, question, address, port)
    assert await outcome(host, question, address, port) == "ECONNREFUSED"


async def test_the_lan_does_not_feel_a_dead_wan(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    with lab.black_hole_wan(), lab.cut_wan():
        assert await outcome(one, "call", other.address, 9000) == "ECONNREFUSED"


async def test_nothing_passes_a_black_hole(lab: Lab) -> None:
    host = lab.lan().host("tablet-1")
    async with listening(lab.internet) as listener:
        fault = lab.black_hole_wan()
        await send(host, lab.internet, "lost")
        fault.restore()
        await send(host, lab.internet, "heard")
        assert await text_of(listener) == "heard"
        assert host.packets_outside_lan() == lab.router.packets_from(host) == 2


async def test_restoring_twice_is_silent(lab: Lab) -> None:
    fault = lab.black_hole_wan()
    fault.restore()
    fault.restore()
    assert "restored" in repr(fault)


async def test_multicast_blocked_on_the_lan_leaves_unicast(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    async with listening(other, 5353, MDNS) as multicast, listening(other) as unicast:
        with lan.block_multicast():
            await shout(one, "lost")
            await send(one, other, "unicast")
        await shout(one, "heard")
        assert await text_of(multicast) == "heard"
        assert await text_of(unicast) == "unicast"


@pytest.mark.parametrize("blocked", ["tablet-1", "tablet-2"])
async def test_multicast_blocked_at_a_host_is_blocked_both_ways_and_for_it_alone(lab: Lab, blocked: str) -> None:
    lan = lab.lan()
    one, other, third = (lan.host(name) for name in ("tablet-1", "tablet-2", "tablet-3"))
    async with listening(other, 5353, MDNS) as listener, listening(third, 5353, MDNS) as bystander:
        with lab.host(blocked).block_multicast():
            await shout(one, "lost")
        await shout(one, "heard")
        assert await text_of(listener) == "heard"
        assert await text_of(bystander) == ("heard" if blocked == one.name else "lost")


@pytest.mark.parametrize(("direction", "arrives"), [("in", "first"), ("out", "second"), ("both", "second")])
async def test_a_blocked_port_is_silent_in_its_direction(lab: Lab, direction: Direction, arrives: str) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    async with listening(other) as listener:
        with one.block_port("udp", range(8999, 9002), direction):
            await send(one, other, "first")
        await send(one, other, "second")
        assert await text_of(listener) == arrives


async def test_a_blocked_port_is_blocked_for_its_protocol_only(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    with other.block_port("tcp", [8090, 8091], "in"):
        assert await silent(one, "call", other.address, 8091)
        assert await outcome(one, "call", other.address, 8092) == "ECONNREFUSED"
        assert await outcome(one, "ask", other.address, 8091) == "ECONNREFUSED"
    assert await outcome(one, "call", other.address, 8091) == "ECONNREFUSED"


@pytest.mark.parametrize("lans", [("lan1", "lan1"), ("lan1", "lan2")], ids=["one LAN", "two LANs"])
async def test_a_port_blocked_between_two_hosts_is_open_to_all_others(lab: Lab, lans: tuple[str, str]) -> None:
    one, other = lab.lan(lans[0]).host("tablet-1"), lab.lan(lans[1]).host("tablet-2")
    third = lab.lan(lans[0]).host("tablet-3")
    with one.block_port_between(other, "tcp", range(8090, 8100)):
        for asker, asked in ((one, other), (other, one)):
            assert await silent(asker, "call", asked.address, 8095)
            assert await outcome(asker, "call", asked.address, 8100) == "ECONNREFUSED"
            assert await outcome(asker, "ask", asked.address, 8095) == "ECONNREFUSED"
            assert await outcome(third, "call", asked.address, 8095) == "ECONNREFUSED"
            assert await outcome(asked, "call", third.address, 8095) == "ECONNREFUSED"
    assert await outcome(one, "call", other.address, 8095) == "ECONNREFUSED"


@pytest.mark.parametrize("side", ["sender", "receiver", "lan"])
async def test_loss_takes_its_share_at_random(lab: Lab, side: str) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    drop = {"sender": one.drop, "receiver": other.drop, "lan": lan.drop}
    async with listening(other) as listener:
        with drop[side](50):
            await send(one, other, "counted", 1000)
        await send(one, other, "end")
        arrived = 0
        while await text_of(listener) == "counted":
            arrived += 1
    # Ten standard deviations (15.8) on either side of the half.
    assert 342 <= arrived <= 658


async def test_loss_hits_the_answers_too(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    async with listening(one) as listener:
        with one.drop(100):
            await send(other, one, "lost")
        await send(other, one, "heard")
        assert await text_of(listener) == "heard"


@pytest.mark.parametrize("percent", [-1, 101])
async def test_loss_is_a_percentage(lab: Lab, percent: int) -> None:
    with pytest.raises(ValueError, match="percentage"):
        lab.lan().drop(percent)


@pytest.mark.parametrize("lans", [("lan1", "lan1"), ("lan1", "lan2")], ids=["one LAN", "two LANs"])
async def test_a_partition_parts_two_hosts_and_no_others(lab: Lab, lans: tuple[str, str]) -> None:
    one, other = lab.lan(lans[0]).host("tablet-1"), lab.lan(lans[1]).host("tablet-2")
    third = lab.lan(lans[0]).host("tablet-3")
    async with listening(one) as first, listening(other) as second:
        await send(one, other, "before")
        await send(other, one, "before")
        with one.partition_from(other):
            await send(one, other, "lost")
            await send(other, one, "lost")
            await send(third, one, "third")
            await send(third, other, "third")
        await send(one, other, "after")
        await send(other, one, "after")
        for listener in (first, second):
            assert [await text_of(listener) for _ in range(3)] == ["before", "third", "after"]


async def test_a_changed_address_is_the_only_one(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    old = other.address
    with other.change_address("10.77.0.200"):
        assert other.address == "10.77.0.200"
        assert await outcome(one, "call", "10.77.0.200", 9000) == "ECONNREFUSED"
        assert await silent(one, "call", old, 9000)
        assert await outcome(other, "call", INTERNET_ADDRESS, 80) == "ECONNREFUSED"
    assert other.address == old
    assert await outcome(one, "call", old, 9000) == "ECONNREFUSED"
    assert lab.router.packets_from(other) == other.packets_outside_lan() == 1


async def test_a_link_that_is_down_is_an_error_and_comes_up_with_its_addresses(lab: Lab) -> None:
    lan = lab.lan("lan1", ipv6=True)
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    assert other.address6
    one.link_down()
    assert await outcome(one, "call", other.address, 9000) == "ENETUNREACH"
    one.link_up()
    one.link_up()
    assert await outcome(one, "call", other.address, 9000) == "ECONNREFUSED"
    assert await outcome(one, "call", other.address6, 9000) == "ECONNREFUSED"
    assert await outcome(one, "call", INTERNET_ADDRESS, 80) == "ECONNREFUSED"


async def test_a_pulled_cable_is_silence(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    with one.unplug():
        assert await silent(one, "call", other.address, 9000)
    assert await outcome(one, "call", other.address, 9000) == "ECONNREFUSED"


async def test_one_direction_can_be_lost_alone_and_for_one_pair_alone(lab: Lab) -> None:
    lan = lab.lan()
    one, other, third = (lan.host(name) for name in ("tablet-1", "tablet-2", "tablet-3"))
    async with listening(one) as first, listening(other) as second, listening(third) as bystander:
        with one.lose_packets_to(other):
            await send(one, other, "lost")
            await send(other, one, "heard")
            await send(one, third, "heard")
        await send(one, other, "after")
        assert [await text_of(listener) for listener in (first, second, bystander)] == ["heard", "after", "heard"]


async def test_one_address_of_several_can_be_dead_alone(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    other.ip("addr add 10.77.0.60/24 dev eth0")
    with other.lose_address(other.address):
        assert await silent(one, "call", other.address, 9000)
        assert await outcome(one, "call", "10.77.0.60", 9000) == "ECONNREFUSED"
    assert await outcome(one, "call", other.address, 9000) == "ECONNREFUSED"


@pytest.mark.parametrize("slow", ["sender", "receiver"])
async def test_a_slow_cable_loses_what_its_queue_cannot_hold_in_either_direction(lab: Lab, slow: str) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    async with listening(other) as listener:
        with {"sender": one, "receiver": other}[slow].rate(1):
            await send(one, other, "x" * 1000, 1000)
            # TCP tries again, so it gets through once the queue has room; by then what fits has arrived.
            assert await outcome(one, "call", other.address, 9001) == "ECONNREFUSED"
        await send(one, other, "end")
        arrived = 0
        while await text_of(listener) != "end":
            arrived += 1
        await send(one, other, "whole", 20)
        assert [await text_of(listener) for _ in range(20)] == ["whole"] * 20
    # 1 MB was sent within milliseconds; burst and queue hold 54 kB of it.
    assert 10 <= arrived <= 300


async def test_an_address_can_change_while_the_link_is_down(lab: Lab) -> None:
    lan = lab.lan()
    one, other = lan.host("tablet-1"), lan.host("tablet-2")
    other.link_down()
    other.change_address("10.77.0.77")
    other.link_up()
    assert await outcome(one, "call", "10.77.0.77", 9000) == "ECONNREFUSED"
    assert await outcome(other, "call", INTERNET_ADDRESS, 80) == "ECONNREFUSED"
