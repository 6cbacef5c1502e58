"""Asking and announcing again on request: at once, without losing or questioning the name, and never as a flood."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from hallway.model import Gone
from hallway_mdns_discovery import advertiser
from hallway_mdns_discovery._dns import QUERY


class Sent:
    """What one device sends to the group."""

    def __init__(self) -> None:
        self.queries = 0
        self.probes = 0
        self.announcements = 0
        self.changed = asyncio.Event()

    def note(self, out) -> None:
        if out.flags != QUERY:
            self.announcements += len(out.answers) > 3
        elif out.authorities:
            self.probes += 1
        else:
            self.queries += 1
        self.changed.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(20):
            while not condition(self):
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def sends(monkeypatch) -> Iterator:
    """Listen to what a device sends from now on."""

    def listen(device) -> Sent:
        sent, zeroconf = Sent(), device._zeroconf
        send = zeroconf.async_send

        def noting(out, addr=None, *arguments, **options):
            if addr is None:
                sent.note(out)
            send(out, addr, *arguments, **options)

        monkeypatch.setattr(zeroconf, "async_send", noting)
        return sent

    return listen


@pytest.fixture
async def settled(site, monkeypatch):
    """A device that has its name and announces once only, and a friend who sees it."""
    monkeypatch.setattr(advertiser, "ANNOUNCE_AFTER", ())
    device, _ = await site.device(site.name())
    _, friend = await site.device(site.name())
    await friend.sees(device._context.device.device_id)
    return device, friend


async def test_a_refresh_asks_and_announces_and_does_not_question_the_name(settled, sends):
    device, friend = settled
    sent = sends(device)
    await device.refresh()
    await sent.until(lambda sent: sent.queries >= 2 and sent.announcements >= 1)
    assert sent.probes == 0
    assert Gone(device._context.device.device_id) not in friend.sightings


async def test_many_refreshes_are_few_packets(settled, sends):
    device, _ = settled
    sent = sends(device)
    for _ in range(100):
        await device.refresh()
        await asyncio.sleep(0)
    await sent.until(lambda sent: sent.announcements >= 1)
    assert sent.announcements <= 4
    assert sent.queries <= 12


async def test_the_same_endpoints_once_more_are_not_announced_again(settled, sends):
    device, friend = settled
    sent = sends(device)
    for _ in range(3):
        await device.advertise(("http://127.0.0.1:8090",))
        await asyncio.sleep(0)
    await device.advertise(("http://127.0.0.1:8097",))
    await friend.until(lambda peers: peers[device._context.device.device_id].port == 8097)
    assert sent.announcements == 1


async def test_changes_without_end_are_announced_at_a_bounded_rate(settled, sends):
    device, friend = settled
    sent = sends(device)
    for port in range(9000, 9100):
        await device.advertise((f"http://127.0.0.1:{port}",))
        await asyncio.sleep(0.001)
    assert sent.announcements <= advertiser.PACE[1] + 2
    await friend.until(lambda peers: peers[device._context.device.device_id].port == 9099)


async def test_a_refresh_before_the_start_or_after_the_end_does_nothing(site):
    device = site.make(site.name())
    await device.refresh()
    await device.start(site.watcher())
    await device.aclose()
    await device.refresh()
