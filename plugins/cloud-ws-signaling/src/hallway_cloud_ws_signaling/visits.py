"""Visits to where the devices of a property met before: one that has missed a change still waits there, and asks whoever comes.

It asks with what it knows, and is told by the refusal what it has missed. So a visitor need not look for anybody: it answers.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from hallway.errors import SignalingUnavailable
from hallway.interfaces import Cover, SignalingHost
from hallway.model import DeviceInfo, Envelope, Origin, Refusal, Sighting
from hallway_cloud_ws_signaling._limits import Bounds
from hallway_cloud_ws_signaling._messages import Join
from hallway_cloud_ws_signaling._names import CoveredNames
from hallway_cloud_ws_signaling.connector import Connector
from hallway_cloud_ws_signaling.session import Session

logger = logging.getLogger(__name__)


class Visits:
    """Those of one device. ``connector`` makes one that asks for a given place; ``bounds`` say how long and how often."""

    def __init__(self, device: DeviceInfo, cover: Cover, connector: Callable[[Callable[[], Join]], Connector], bounds: Bounds) -> None:
        self._device = device
        self._cover = cover
        self._connector = connector
        self._bounds = bounds
        self._changed = asyncio.Event()
        cover.watch(self._changed.set)

    async def run(self, host: SignalingHost) -> None:
        """Go round at once, after each change, and every minute or so, until cancelled; ``host`` answers."""
        while True:
            self._changed.clear()
            for cover in self._cover.earlier:
                await self._visit(CoveredNames(self._device, cover), host)
            try:
                async with asyncio.timeout(self._bounds.visits_apart * random.uniform(0.5, 1.5)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _visit(self, names: CoveredNames, host: SignalingHost) -> None:
        try:
            entry = await self._connector(names.join).enter()
        except SignalingUnavailable as error:
            logger.debug("an earlier room is not visited: %s", error)
            return
        session = Session(entry, _Answers(host), names, self._bounds)
        try:
            async with asyncio.timeout(self._bounds.visit):
                await session.run()
        except TimeoutError:
            logger.debug("an earlier room was visited")
        finally:
            await session.aclose(closed=True)


class _Answers(SignalingHost):
    """Hands requests to another host, and keeps everything else to itself."""

    def __init__(self, host: SignalingHost) -> None:
        self._host = host

    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        """As `SignalingHost.handle`."""
        return await self._host.handle(envelope, origin)

    def report(self, sighting: Sighting) -> None:
        """Who is there is of no interest: they ask."""

    def up(self, listen: tuple[str, ...]) -> None:
        """This place does not count."""

    def down(self, reason: str) -> None:
        """This place does not count."""
