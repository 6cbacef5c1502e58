"""Introductions: linked devices tell each other where they are, and where those are that they are linked to themselves.

So a device that finds nobody by itself, because multicast is blocked, needs one link to come by all others. Only first-hand knowledge is
passed on: what another peer told is not told further, and so nobody is kept alive by rumour.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from hallway.errors import ControlRefused, DeadlineExceeded, HallwayError
from hallway.model import DeviceInfo, Gone, PeerRecord, Seen, Sighting
from hallway.protocol import introducing
from hallway.protocol.bucket import PeerBuckets
from hallway.runtime.control.bus import Bus
from hallway.runtime.tasks import TaskSet

logger = logging.getLogger(__name__)

SOURCE = "introduced"
KIND = "introduce"
PATIENCE = 10.0
"""Seconds that a peer has to take what it is told."""
HEARD_RATE = 0.25
"""Introductions of one peer that are heard, per second: each may turn all that is known by hearsay over."""
HEARD_BURST = 4.0


class Introductions:
    """Tells and hears. ``report`` takes sightings; ``linked`` gives the records of the peers with an open link."""

    def __init__(
        self, device: DeviceInfo, bus: Bus, tasks: TaskSet, report: Callable[[str, Sighting], None], linked: Callable[[], list[PeerRecord]]
    ) -> None:
        self._device = device
        self._bus = bus
        self._tasks = tasks
        self._report = report
        self._linked = linked
        self._endpoints: tuple[str, ...] = ()
        self._buckets = PeerBuckets(HEARD_RATE, HEARD_BURST)
        self._heard: dict[str, dict[str, PeerRecord]] = {}
        self._reported: dict[str, PeerRecord] = {}
        self._told = introducing.Told()
        self._changed = asyncio.Event()
        bus.serve(KIND, self._hear)
        bus.watch(self._links_changed)

    def advertise(self, endpoints: tuple[str, ...]) -> None:
        """This device can be reached at ``endpoints`` from now on."""
        self._endpoints = endpoints
        self._changed.set()

    async def run(self) -> None:
        """Tell whoever does not know, until cancelled."""
        while True:
            self._changed.clear()
            wait = self._tell_all(asyncio.get_running_loop().time())
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _tell_all(self, now: float) -> float | None:
        """Tell those who are due; returns the seconds until the next one is, None if nobody waits."""
        linked = self._bus.channels
        self._told.linked(linked, now)
        news = introducing.dumps(self._device, self._endpoints, sorted(self._linked(), key=lambda record: record.device_id))
        waits = []
        for peer_id in linked:
            wait = self._told.due(peer_id, news, now)
            if wait == 0:
                self._told.told(peer_id, news, now)
                self._tasks.start(self._tell(peer_id, news), f"introduce to {peer_id}")
            elif wait is not None:
                waits.append(wait)
        return min(waits, default=None)

    async def _tell(self, peer_id: str, news: Any) -> None:
        try:
            await self._bus.request(peer_id, KIND, news, asyncio.get_running_loop().time() + PATIENCE)
        except DeadlineExceeded as error:
            logger.debug("%s may not have been told of this device: %s", peer_id, error)
            self._told.missed(peer_id)
            self._changed.set()
        except HallwayError as error:
            logger.debug("%s was not told of this device: %s", peer_id, error)

    async def _hear(self, peer_id: str, body: Any) -> None:
        if peer_id not in self._bus.linked:
            return
        if not self._buckets.take(peer_id, asyncio.get_running_loop().time()):
            text = f"{self._device.device_id} hears {peer_id} every {1 / HEARD_RATE:g} s"
            raise ControlRefused(text, reason="busy", hint="tell it later")
        self._heard[peer_id] = introducing.loads(body, peer_id, self._device)
        self._compare()

    def _links_changed(self) -> None:
        self._changed.set()
        linked = set(self._bus.linked)
        self._buckets.keep(linked)
        gone = self._heard.keys() - linked
        for peer_id in gone:
            del self._heard[peer_id]
        if gone:
            self._compare()

    def _compare(self) -> None:
        """Report what is new in all that was heard."""
        known = introducing.merged(self._heard)
        before, self._reported = self._reported, known
        self._report_all(Gone(before[key].device_id) for key in before.keys() - known.keys())
        self._report_all(Seen(record) for key, record in known.items() if before.get(key) != record)

    def _report_all(self, sightings: Iterable[Sighting]) -> None:
        for sighting in sightings:
            self._report(SOURCE, sighting)
