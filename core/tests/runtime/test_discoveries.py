from __future__ import annotations

import asyncio

import pytest

from hallway.errors import DiscoveryUnavailable
from hallway.interfaces import Discovery
from hallway.model import Gone, PeerRecord, Seen
from hallway.protocol.backoff import Backoff
from hallway.runtime.discoveries import Finder


class FlakyDiscovery(Discovery):
    """Comes up after it could not for each of ``failures``; advertises when it is let."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.advertised: list[tuple[str, ...]] = []
        self.may_advertise = asyncio.Event()
        self.may_advertise.set()
        self.at_once = 0

    async def start(self, host):
        if self.failures:
            raise self.failures.pop(0)

    async def advertise(self, endpoints):
        self.at_once += 1
        assert self.at_once == 1
        await self.may_advertise.wait()
        self.advertised.append(endpoints)
        self.at_once -= 1

    async def aclose(self):
        raise NotImplementedError


def finder(discovery: Discovery, reporter=lambda *_: None) -> Finder:
    return Finder("test", discovery, reporter, backoff=Backoff(0.0, 0.0, lambda: 0.0))


async def test_it_is_started_again_until_it_is_up():
    discovery = FlakyDiscovery(DiscoveryUnavailable("no interface"), DiscoveryUnavailable("no interface"))
    made = finder(discovery)
    await made.keep_up()
    assert (made.is_up, made.reason, discovery.failures) == (True, "", [])


async def test_it_says_why_it_is_not_up():
    made = Finder("test", FlakyDiscovery(DiscoveryUnavailable("no interface")), lambda *_: None, backoff=Backoff(3600, 3600, lambda: 0.0))
    task = asyncio.create_task(made.keep_up())
    await asyncio.sleep(0)
    assert (made.is_up, made.reason) == (False, "no interface")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_plugin_that_breaks_its_contract_is_told():
    made = finder(FlakyDiscovery(ValueError("a bug")))
    with pytest.raises(ValueError, match="a bug"):
        await made.keep_up()
    assert made.reason == "it failed: a bug"


async def test_what_is_to_be_advertised_waits_until_it_is_up_and_only_the_last_counts():
    discovery = FlakyDiscovery(DiscoveryUnavailable("no interface"))
    made = finder(discovery)
    await made.advertise(("http://10.0.0.7:8090",))
    await made.advertise(("http://10.0.0.8:8090",))
    assert discovery.advertised == []
    await made.keep_up()
    assert discovery.advertised == [("http://10.0.0.8:8090",)]


async def test_changes_are_advertised_one_at_a_time_and_end_with_the_last():
    discovery = FlakyDiscovery()
    made = finder(discovery)
    await made.keep_up()
    discovery.may_advertise.clear()
    changes = [asyncio.create_task(made.advertise((f"http://10.0.0.{number}:8090",))) for number in range(3)]
    await asyncio.sleep(0)
    discovery.may_advertise.set()
    await asyncio.gather(*changes)
    assert discovery.advertised[-1] == ("http://10.0.0.2:8090",)


async def test_sightings_are_handed_on_with_its_name():
    reported = []
    made = finder(FlakyDiscovery(), lambda *arguments: reported.append(arguments))
    for sighting in (Seen(PeerRecord("tablet-2", "p")), Gone("tablet-2")):
        made.report(sighting)
    assert reported == [("test", Seen(PeerRecord("tablet-2", "p"))), ("test", Gone("tablet-2"))]
