"""What fails after the start: it is told to the host, and mended."""

from __future__ import annotations

import asyncio
import logging

import attrs
import pytest

from hallway.errors import DiscoveryUnavailable
from hallway.network import InterfaceAddress, InterfacePolicy
from hallway_mdns_discovery import MdnsDiscovery, keeping
from hallway_mdns_discovery.keeping import Keeper


@attrs.define
class Machine:
    """What a look at its addresses finds; ``looked`` is set by the next."""

    addresses: tuple[InterfaceAddress, ...]
    error: OSError | None = None
    looked: asyncio.Event = attrs.field(factory=asyncio.Event)

    def read(self) -> tuple[InterfaceAddress, ...]:
        self.looked.set()
        if self.error is not None:
            raise self.error
        return self.addresses

    async def next_look(self) -> None:
        self.looked.clear()
        await self.looked.wait()


@attrs.frozen
class Changing(InterfacePolicy):
    machine: Machine = attrs.field(factory=lambda: Machine(InterfacePolicy(allow=("lo*",)).addresses()))

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        return self.machine.read()


@pytest.fixture
def machine() -> Machine:
    return Machine(InterfacePolicy(allow=("lo*",)).addresses())


@pytest.fixture
async def followed(site, machine, monkeypatch) -> MdnsDiscovery:
    """A discovery whose machine's addresses the test changes, and that begins again quickly."""
    monkeypatch.setattr(keeping, "RESTART", (0.001, 0.002))
    monkeypatch.setattr(keeping, "SETTLED", 0.001)
    return site.make(site.name(), interfaces=Changing(machine=machine), watch=0.001)


@pytest.fixture
async def started(followed, site):
    watcher = site.watcher()
    await followed.start(watcher)
    await followed.advertise(("http://127.0.0.1:8090",))
    return watcher


async def finds_a_newcomer(site, watcher) -> None:
    name = site.name()
    await site.device(name)
    await watcher.sees(name)


async def test_addresses_that_cannot_be_read_do_not_end_the_following(site, machine, followed, started):
    machine.error = OSError("no netlink")
    await machine.next_look()
    await machine.next_look()
    machine.error, machine.addresses = None, machine.addresses[:1]
    async with asyncio.timeout(20):
        while followed._addresses != machine.addresses:
            await machine.next_look()
    await finds_a_newcomer(site, started)
    assert started.states == []


async def test_addresses_that_cannot_be_read_at_the_start_are_no_discovery(site, machine, followed):
    machine.error = OSError("no netlink")
    with pytest.raises(DiscoveryUnavailable, match="no netlink"):
        await followed.start(site.watcher())
    machine.error = None
    await followed.start(site.watcher())


async def test_a_machine_without_addresses_is_down_until_it_has_some_again(site, machine, started):
    before, machine.addresses = machine.addresses, ()
    assert await started.states_are(1) == ["no allowed network interface has an address"]
    await machine.next_look()
    machine.addresses = before
    assert (await started.states_are(2))[1:] == ["up"]
    await finds_a_newcomer(site, started)


async def test_interfaces_that_cannot_be_moved_to_are_tried_again(site, machine, followed, started, monkeypatch):
    refusals = [OSError("no buffer space"), OSError("no buffer space")]
    use = followed._zeroconf.use

    async def refuse(*arguments) -> None:
        if refusals:
            raise refusals.pop()
        await use(*arguments)

    monkeypatch.setattr(followed._zeroconf, "use", refuse)
    machine.addresses = machine.addresses[:1]
    assert await started.states_are(2) == ["mDNS cannot come up: no buffer space", "up"]
    await finds_a_newcomer(site, started)


def fails_once(part, method: str, monkeypatch) -> None:
    """Make the next call of a method raise, and cause it."""
    works = getattr(part, method)

    def fail(*arguments):
        monkeypatch.setattr(part, method, works)
        raise RuntimeError("a bug")

    monkeypatch.setattr(part, method, fail)
    part._changed.set()


@pytest.mark.parametrize(("part", "method"), [("browsing", "_work"), ("advertising", "_step")])
async def test_a_part_that_fails_is_told_and_begins_again(site, followed, started, monkeypatch, logged, part, method):
    fails_once(followed._browser if part == "browsing" else followed._advertiser, method, monkeypatch)
    assert await started.states_are(2) == [f"mDNS {part} has failed: a bug", "up"]
    await finds_a_newcomer(site, started)
    friend = site.watcher()
    await site.make(site.name()).start(friend)
    await friend.sees(followed._context.device.device_id)
    assert await logged.until("begins again")


async def test_the_waits_of_a_part_that_keeps_failing_grow_and_it_is_told_once(site, monkeypatch, caplog):
    monkeypatch.setattr(keeping, "RESTART", (0.001, 0.002))
    host, calls, enough = site.watcher(), [], asyncio.Event()

    async def fail() -> None:
        calls.append(None)
        if len(calls) == 5:
            enough.set()
        raise RuntimeError("a bug")

    with caplog.at_level(logging.CRITICAL, "hallway_mdns_discovery"):
        keeping_it = asyncio.create_task(Keeper(host).keep("x", fail))
        await enough.wait()
        keeping_it.cancel()
        await asyncio.wait([keeping_it])
    assert host.states == ["mDNS x has failed: a bug"]


def test_up_is_told_when_the_last_part_works_again_and_never_without_a_down(site):
    host = site.watcher()
    keeper = Keeper(host)
    keeper.works("one")
    keeper.fails("one", "1")
    keeper.fails("one", "1")
    keeper.fails("other", "2")
    keeper.works("one")
    assert host.states == ["1", "2"]
    keeper.works("other")
    assert host.states == ["1", "2", "up"]
