"""Peers that are listed by DNS names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hallway.errors import Unreachable
from hallway.interfaces import DiscoveryHost
from hallway.model import DeviceInfo, Seen, Sighting
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_static_discovery.config import StaticConfig
from hallway_static_discovery.discovery import StaticDiscovery

WAIT = 10.0


class Dns(Resolver):
    """Answers from a table; a name that is not in it does not exist."""

    def __init__(self, **table: str) -> None:
        super().__init__()
        self.table = table
        self.answers = True
        self.asked = asyncio.Queue[str]()

    async def resolve(self, host: str, deadline: float) -> str:
        self.asked.put_nowait(host)
        if not self.answers:
            await asyncio.Event().wait()
        if host not in self.table:
            raise Unreachable(f"{host} does not exist")
        return self.table[host]


class Host(DiscoveryHost):
    def __init__(self) -> None:
        self.reports = asyncio.Queue[Sighting]()

    def report(self, sighting: Sighting) -> None:
        self.reports.put_nowait(sighting)

    async def next(self) -> tuple[str, ...]:
        async with asyncio.timeout(WAIT):
            sighting = await self.reports.get()
        assert isinstance(sighting, Seen)
        return sighting.record.endpoints


@pytest_asyncio.fixture
async def running() -> AsyncIterator[list[StaticDiscovery]]:
    made: list[StaticDiscovery] = []
    yield made
    for discovery in made:
        await discovery.aclose()


async def started(running: list[StaticDiscovery], dns: Dns, *places: str) -> tuple[StaticDiscovery, Host]:
    context = PluginContext(DeviceInfo("tablet-1", "hotel-1"), InterfacePolicy(), dns)
    running.append(StaticDiscovery(StaticConfig({"tablet-2": places, "tablet-1": "own.example"}), context))
    host = Host()
    await running[-1].start(host)
    return running[-1], host


async def asked(dns: Dns) -> str:
    async with asyncio.timeout(WAIT):
        return await dns.asked.get()


async def test_a_name_is_reported_as_its_address(running):
    _, host = await started(running, Dns(two="10.0.0.7"), "two:8091")
    assert await host.next() == ("http://10.0.0.7:8091",)


async def test_an_address_is_reported_before_dns_has_answered_and_the_name_beside_it_after(running):
    _, host = await started(running, Dns(two="fd77::7"), "two", "10.0.0.7")
    assert host.reports.qsize() == 1
    assert await host.next() == ("http://10.0.0.7:8090",)
    assert await host.next() == ("http://[fd77::7]:8090", "http://10.0.0.7:8090")


async def test_this_devices_own_name_is_not_asked_for(running):
    dns = Dns(two="10.0.0.7")
    _, host = await started(running, dns, "two")
    await host.next()
    assert [await asked(dns), dns.asked.qsize()] == ["two", 0]


async def test_a_name_that_does_not_exist_is_logged_once_and_asked_for_again(running, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    dns = Dns()
    discovery, host = await started(running, dns, "two")
    await asked(dns)
    await discovery.refresh()
    await asked(dns)
    dns.table["two"] = "10.0.0.7"
    await discovery.refresh()

    assert await host.next() == ("http://10.0.0.7:8090",)
    assert caplog.text.count("two does not exist") == 1


async def test_an_address_at_which_no_peer_can_be_is_not_used(running, caplog: pytest.LogCaptureFixture):
    dns = Dns(two="224.0.0.251", other="10.0.0.8")
    _, host = await started(running, dns, "two", "other")
    assert await host.next() == ("http://10.0.0.8:8090",)
    assert "two is 224.0.0.251, where no peer can be reached" in caplog.text


async def test_a_new_address_is_reported_and_the_same_again_is_not(running):
    dns = Dns(two="10.0.0.7")
    discovery, host = await started(running, dns, "two")
    await host.next()
    await discovery.refresh()
    assert [await asked(dns) for _ in range(2)] == ["two", "two"]
    dns.table["two"] = "10.0.0.8"
    await discovery.refresh()
    assert await host.next() == ("http://10.0.0.8:8090",)


async def test_a_name_that_is_not_answered_any_more_keeps_its_address(running):
    dns = Dns(two="10.0.0.7", other="10.0.0.8")
    discovery, host = await started(running, dns, "two", "other")
    await host.next()
    del dns.table["two"]
    dns.table["other"] = "10.0.0.9"
    await discovery.refresh()
    assert await host.next() == ("http://10.0.0.7:8090", "http://10.0.0.9:8090")


async def test_closing_ends_a_look_up_that_hangs(running):
    dns = Dns()
    dns.answers = False
    discovery, host = await started(running, dns, "two")
    await asked(dns)
    async with asyncio.timeout(WAIT):
        await discovery.aclose()
    assert len(asyncio.all_tasks()) == 1
    assert host.reports.empty()
