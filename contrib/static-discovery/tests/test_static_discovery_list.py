"""Who is reported, and when."""

from __future__ import annotations

import logging

import pytest

from hallway.errors import ClosedError
from hallway.interfaces import Discovery, DiscoveryHost
from hallway.model import DeviceInfo, PeerRecord, Seen, Sighting
from hallway.testing.conformance import context
from hallway_static_discovery.config import StaticConfig
from hallway_static_discovery.plugin import make_discovery

SITE = StaticConfig({"Tablet-1": "10.0.0.6", "tablet-2": "10.0.0.7", "tablet-3": ("10.0.0.8", "http://10.0.0.9:8091")})


class Host(DiscoveryHost):
    def __init__(self) -> None:
        self.reports: list[Sighting] = []

    def report(self, sighting: Sighting) -> None:
        self.reports.append(sighting)


def made(config: StaticConfig, device_id: str = "tablet-1") -> Discovery:
    return make_discovery(config, context(DeviceInfo(device_id, "hotel-1")))


async def test_every_other_listed_device_is_reported_at_the_start_in_the_order_of_the_list():
    host, discovery = Host(), made(SITE)
    await discovery.start(host)

    assert host.reports == [
        Seen(PeerRecord("tablet-2", "hotel-1", endpoints=("http://10.0.0.7:8090",), epoch=None)),
        Seen(PeerRecord("tablet-3", "hotel-1", endpoints=("http://10.0.0.8:8090", "http://10.0.0.9:8091"), epoch=None)),
    ]
    await discovery.aclose()


async def test_one_list_serves_every_device_of_the_site():
    seen = {}
    for device_id in ("tablet-1", "tablet-2", "TABLET-3", "desk"):
        host = Host()
        await made(SITE, device_id).start(host)
        seen[device_id] = {report.record.device_id.lower() for report in host.reports}

    everybody = {"tablet-1", "tablet-2", "tablet-3"}
    assert seen == {device_id: everybody - {device_id.lower()} for device_id in seen}


async def test_nothing_more_is_reported_whatever_happens():
    host, discovery = Host(), made(SITE)
    await discovery.start(host)
    host.reports.clear()
    await discovery.advertise(("http://10.0.0.6:8090",))
    await discovery.refresh()
    await discovery.advertise(())
    await discovery.aclose()

    assert host.reports == []


async def test_a_device_whose_list_has_nobody_else_says_that_it_waits(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    host = Host()
    await made(StaticConfig({"TABLET-1": "10.0.0.6"})).start(host)

    assert host.reports == []
    assert "waits to be dialed" in caplog.text


async def test_a_closed_list_does_not_start():
    host, discovery = Host(), made(SITE)
    await discovery.aclose()
    with pytest.raises(ClosedError):
        await discovery.start(host)
    assert host.reports == []
