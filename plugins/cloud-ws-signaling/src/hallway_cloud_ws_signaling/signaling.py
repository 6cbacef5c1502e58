"""The carrier `cloud-ws`: a place in the property's room at a signal server, kept through every outage."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from functools import partial

from hallway.errors import ClosedError, SignalingUnavailable, Unreachable
from hallway.interfaces import Signaling, SignalingHost
from hallway.model import Envelope, Refusal, RefusalCode, is_device_id
from hallway.plugins import PluginContext
from hallway.protocol.backoff import Backoff
from hallway_cloud_ws_signaling._limits import MAX_BODY, Bounds
from hallway_cloud_ws_signaling._names import CoveredNames, Names, PlainNames
from hallway_cloud_ws_signaling.config import SCHEME, CloudWsConfig
from hallway_cloud_ws_signaling.connector import Connector, Entry
from hallway_cloud_ws_signaling.session import Session
from hallway_cloud_ws_signaling.visits import Visits

logger = logging.getLogger(__name__)

FIRST_DELAY = 1.0
MAX_DELAY = 30.0
"""Seconds between two tries to get back, at most."""


class CloudWsSignaling(Signaling):
    """Signaling through a signal server, in both directions, and the presence of the room.

    A failed `start` leaves nothing running. Once it was up, it gets back by itself. ``backoff`` is the delays of that.
    """

    def __init__(
        self, config: CloudWsConfig, context: PluginContext, *, bounds: Bounds | None = None, backoff: Backoff | None = None
    ) -> None:
        if config.url is None:
            raise SignalingUnavailable("cloud-ws has no url", hint="set plugins.cloud-ws.url")
        device = context.device
        self._device = device
        self._bounds = bounds or Bounds()
        self._backoff = backoff or Backoff(FIRST_DELAY, MAX_DELAY, random.random)
        self._names: Names = PlainNames(device, config.room) if context.cover is None else CoveredNames(device, context.cover)
        connector = partial(Connector, config.url, resolver=context.resolver, bounds=self._bounds)
        self._connector = connector(self._names.join)
        self._visits: Visits | None = None
        if context.cover is not None:
            context.cover.watch(self._cover_changed)
            self._visits = Visits(device, context.cover, connector, self._bounds)
        self._session: Session | None = None
        self._entering: asyncio.Task[Entry] | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._closed = False

    async def start(self, host: SignalingHost) -> None:
        """As `Signaling.start`; it returns once we are in the room, or raises after 5 s at most."""
        if self._closed:
            raise ClosedError("cloud-ws was closed")
        self._entering = asyncio.create_task(self._connector.enter(), name="cloud-ws start")
        session = self._begin(await self._entered(self._entering), host)
        self._keepers = [asyncio.create_task(self._keep(session, host), name="cloud-ws")]
        if self._visits is not None:
            self._keepers.append(asyncio.create_task(self._visits.run(host), name="cloud-ws visits"))

    async def _entered(self, entering: asyncio.Task[Entry]) -> Entry:
        try:
            return await entering
        except asyncio.CancelledError as error:
            if entering.done() and not entering.cancelled() and entering.exception() is None:
                entering.result().connection.transport.abort()
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise ClosedError("cloud-ws was closed while it started") from error
            raise

    def _begin(self, entry: Entry, host: SignalingHost) -> Session:
        self._session = session = Session(entry, host, self._names, self._bounds)
        host.up((f"{SCHEME}:{self._device.device_id}",))
        return session

    async def _keep(self, session: Session, host: SignalingHost) -> None:
        """Be in the room; whenever the connection ends, get back."""
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            reason = await session.run()
            if loop.time() - since >= self._bounds.steady:
                self._backoff.reset()
            await session.aclose()
            self._session = None
            session = self._begin(await self._get_back(host, session, reason), host)

    def _cover_changed(self) -> None:
        """This device and its peers have other names, and may meet elsewhere."""
        if self._session is not None and self._session.join != self._names.join():
            self._session.leave()
        elif self._session is not None:
            self._session.look_again()

    async def _get_back(self, host: SignalingHost, left: Session, reason: str) -> Entry:
        if left.join != self._names.join():
            with contextlib.suppress(SignalingUnavailable):
                return await self._connector.enter()
        host.down(reason)
        while True:
            await asyncio.sleep(self._backoff.next())
            try:
                return await self._connector.enter()
            except SignalingUnavailable as error:
                logger.info("cloud-ws is not back: %s", error)
                host.down(str(error))

    async def request(self, endpoint: str, envelope: Envelope, deadline: float) -> Envelope | Refusal:
        """As `Signaling.request`. ``endpoint`` is ``cloud-ws:<device id>``."""
        scheme, _, peer = endpoint.partition(":")
        if self._closed:
            raise ClosedError("cloud-ws was closed")
        if scheme != SCHEME or not is_device_id(peer):
            raise Unreachable(f"{endpoint} is no {SCHEME} endpoint")
        if len(envelope.body) > MAX_BODY:
            return Refusal(RefusalCode.TOO_LARGE, f"cloud-ws carries {MAX_BODY} bytes at most")
        if self._session is None:
            raise Unreachable("not connected to the signal server")
        tag = self._names.tag(peer)
        if tag is None:
            raise Unreachable(f"{peer} is no device that could be asked for")
        return await self._session.request(tag, envelope, deadline)

    async def aclose(self) -> None:
        """As `Signaling.aclose`."""
        self._closed = True
        tasks = [task for task in (self._entering, *self._keepers) if task is not None]
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            session, self._session = self._session, None
            if session is not None:
                await session.aclose(closed=True)
