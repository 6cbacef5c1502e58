"""A device visits the rooms of before the last changes, and answers who waits there."""

from __future__ import annotations

import asyncio

import pytest

from hallway.interfaces import Cover
from hallway.model import DeviceInfo
from hallway.network import Resolver
from hallway_cloud_ws_signaling._limits import Bounds
from hallway_cloud_ws_signaling.connector import Connector
from hallway_cloud_ws_signaling.visits import Visits

NEVER = 3600.0


class Earlier(Cover):
    """Names of some epoch: tags that begin with the name of the room."""

    def __init__(self, room: str, *earlier: Cover) -> None:
        self._room = room
        self._earlier = earlier
        self.listeners = []

    @property
    def room(self):
        return self._room

    @property
    def earlier(self):
        return self._earlier

    def tag(self, device_id):
        return f"{self._room}-{device_id}"

    def who(self, tag):
        return tag.removeprefix(f"{self._room}-")

    def beacon(self, instance, port):
        raise AssertionError("no beacon is shown at a signal server")

    def recognise(self, beacon, instance, port):
        raise AssertionError("no beacon is read at a signal server")

    def watch(self, listener):
        self.listeners.append(listener)

    def change(self, *earlier: Cover) -> None:
        self._earlier = earlier
        for listener in self.listeners:
            listener()


@pytest.fixture
async def start_visits(url, wire):
    tasks = []

    def start(cover, **bounds):
        host, limits = wire.host(), Bounds(**{"visits_apart": NEVER, **bounds})
        visits = Visits(DeviceInfo("desk", "house"), cover, lambda join: Connector(url, join, Resolver(), limits), limits)
        tasks.append(asyncio.create_task(visits.run(host)))
        return host

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def waiting(site, url, room):
    """A device that has missed a change."""
    return await site.raw(url, f"{room}-tablet", room)


async def test_who_waits_in_an_earlier_room_is_answered_and_left_again(site, url, wire, start_visits):
    late = await waiting(site, url, "second")
    host = start_visits(Earlier("third", Earlier("second"), Earlier("first")), visit=0.3)
    assert (await late.expect("peer-joined"))["deviceId"] == "second-desk"
    await late.send(**wire.request("second-desk"))
    answer = await late.expect("response")
    assert answer["body"] == wire.answer.body.decode()
    assert [envelope.body for envelope, _ in host.seen] == [b"hello"]
    await late.expect("peer-left")
    # Whom it met there is none of its peers, and the place none of its own.
    assert (host.records, host.states.empty()) == ({}, True)


async def test_every_earlier_room_is_visited_the_newest_first(site, url, start_visits):
    newer, older = [await waiting(site, url, room) for room in ("second", "first")]
    start_visits(Earlier("third", Earlier("second"), Earlier("first")), visit=0.05)
    await newer.expect("peer-joined")
    await newer.expect("peer-left")
    await older.expect("peer-joined")


async def test_a_change_leads_to_a_visit_at_once(site, url, start_visits):
    cover, late = Earlier("second"), await waiting(site, url, "second")
    start_visits(cover, visit=0.05)
    cover.change(Earlier("second"))
    await late.expect("peer-joined")


async def test_visits_are_repeated(site, url, start_visits):
    late = await waiting(site, url, "first")
    start_visits(Earlier("second", Earlier("first")), visit=0.02, visits_apart=0.02)
    for _ in range(3):
        await late.expect("peer-joined")
        await late.expect("peer-left")


async def test_a_server_that_is_away_is_tried_again(site, wire):
    cover = Earlier("second", Earlier("first"))
    server = await site.server()
    (url,) = server.urls()
    await server.aclose()
    limits, made = Bounds(visits_apart=0.02), asyncio.Semaphore(0)

    def connector(join):
        made.release()
        return Connector(url, join, Resolver(), limits)

    running = asyncio.create_task(Visits(DeviceInfo("desk", "house"), cover, connector, limits).run(wire.host()))
    for _ in range(3):
        await made.acquire()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
