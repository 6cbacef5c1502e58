"""Discovery by a list: everybody on it is reported at the start, and again when a name has another address. Nobody ever goes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random

from hallway.errors import ClosedError
from hallway.interfaces import Discovery, DiscoveryHost
from hallway.model import PeerRecord, Seen, same_device
from hallway.plugins import PluginContext
from hallway.protocol.backoff import Backoff
from hallway_static_discovery._places import name_in
from hallway_static_discovery.config import StaticConfig
from hallway_static_discovery.names import Names

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
"""Between two looks at DNS while every name has an address."""


class StaticDiscovery(Discovery):
    """See `hallway.interfaces.Discovery`. Records have no epoch: a peer's offers, answers and HELLO tell it."""

    def __init__(self, config: StaticConfig, context: PluginContext) -> None:
        device = context.device
        self._property_id = device.property_id
        self._listed = {name: places for name, places in config.endpoints().items() if not same_device(name, device.device_id)}
        names = dict.fromkeys(name for places in self._listed.values() for place in places if (name := name_in(place)))
        self._names = Names(names, context.resolver) if names else None
        self._told: dict[str, PeerRecord] = {}
        self._wake = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self, host: DiscoveryHost) -> None:
        """See `Discovery.start`. Peers that are listed by a name only come when DNS has answered."""
        self._check_open()
        if not self._listed:
            log.info("no other device is in [plugins.static.peers]: this one waits to be dialed")
        self._tell(host)
        if self._names is not None:
            self._following = asyncio.create_task(self._follow(self._names, host), name="static discovery names")

    async def advertise(self, endpoints: tuple[str, ...]) -> None:
        """See `Discovery.advertise`: others have lists of their own."""
        self._check_open()

    async def refresh(self) -> None:
        """See `Discovery.refresh`: ask DNS again."""
        self._wake.set()

    async def aclose(self) -> None:
        """See `Discovery.aclose`."""
        self._closed = True
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("static discovery was closed")

    def _tell(self, host: DiscoveryHost) -> None:
        for device_id, places in self._listed.items():
            endpoints = places if self._names is None else self._names.placed(places)
            record = PeerRecord(device_id, self._property_id, endpoints=endpoints)
            if endpoints and self._told.get(device_id) != record:
                self._told[device_id] = record
                host.report(Seen(record))

    async def _follow(self, names: Names, host: DiscoveryHost) -> None:
        backoff = Backoff(1.0, LOOK_SECONDS, random.random)
        while True:
            self._wake.clear()
            found = await names.look_up()
            self._tell(host)
            if found:
                backoff.reset()
            await self._pause(LOOK_SECONDS if found else backoff.next())

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
