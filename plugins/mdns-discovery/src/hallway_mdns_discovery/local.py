"""LocalPeerDiscovery: the seed's API over `MdnsDiscovery`, usable without a `Peer`."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from hallway.errors import MisuseError
from hallway.interfaces import DiscoveryHost
from hallway.model import DeviceInfo, PeerRecord, Seen, Sighting
from hallway.network import InterfacePolicy, Resolver
from hallway.plugins import PluginContext
from hallway_mdns_discovery.config import MdnsConfig
from hallway_mdns_discovery.discovery import MdnsDiscovery

log = logging.getLogger(__name__)

FoundCallback = Callable[[PeerRecord], Awaitable[None] | None]
RemovedCallback = Callable[[str], Awaitable[None] | None]
Found = TypeVar("Found", bound=FoundCallback)
Removed = TypeVar("Removed", bound=RemovedCallback)


class LocalPeerDiscovery(DiscoveryHost):
    """Finds the devices of one property on the local network.

    Callbacks may be functions or coroutine functions. Coroutines run as tasks of this object, side by side; `stop` cancels those still
    running, but for the one that awaits it. What a callback raises is logged and ends nothing.

    Args:
        property_id: the site; devices of others are not reported.
        advertise: where this device takes offers (``LocalSignalingServer.record``, after its ``start``), or None to look only.
        interfaces: which interfaces to use; by default all but those of containers, virtual machines and VPNs.

    """

    def __init__(self, property_id: str, advertise: PeerRecord | None = None, *, interfaces: InterfacePolicy | None = None) -> None:
        if advertise is not None and advertise.property_id != property_id:
            raise MisuseError(f"the record to advertise belongs to property {advertise.property_id!r}, not {property_id!r}")
        self._device = _device(property_id, advertise)
        self._endpoints = advertise.endpoints if advertise is not None else ()
        self._interfaces = interfaces or InterfacePolicy()
        self._found: list[FoundCallback] = []
        self._removed: list[RemovedCallback] = []
        self._tasks: set[asyncio.Future[None]] = set()
        self._discovery: MdnsDiscovery | None = None

    def on_peer_found(self, callback: Found) -> Found:
        """Call ``callback(record)`` when a device is found and whenever its record changes; ``record`` has ``id``, ``ip`` and ``port``."""
        self._found.append(callback)
        return callback

    def on_peer_removed(self, callback: Removed) -> Removed:
        """Call ``callback(device_id)`` when a device says goodbye or is not heard of any more."""
        self._removed.append(callback)
        return callback

    async def start(self) -> None:
        """Begin to look, and to advertise if asked to. Does not wait for peers.

        Raises:
            DiscoveryUnavailable: no interface, or no socket. It may be tried again.

        """
        if self._discovery is not None:
            raise MisuseError("this discovery is started already")
        self._discovery = MdnsDiscovery(MdnsConfig(), PluginContext(self._device, self._interfaces, Resolver()))
        try:
            await self._discovery.start(self)
            await self._discovery.advertise(self._endpoints)
        except BaseException:
            self._discovery = None
            raise

    async def stop(self) -> None:
        """Say goodbye, stop, and cancel the callbacks that still run. Stopping twice is silent; it may be started again.

        A callback may await it: that one goes on, and the others have ended.
        """
        discovery, self._discovery = self._discovery, None
        try:
            if discovery is not None:
                await discovery.aclose()
        finally:
            await self._end_callbacks()

    async def _end_callbacks(self) -> None:
        others = self._tasks - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)

    async def aclose(self) -> None:
        """The same as `stop`."""
        await self.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    def report(self, sighting: Sighting) -> None:
        """Take a sighting from the discovery; not for callers."""
        if isinstance(sighting, Seen):
            for found in self._found:
                self._call(found, sighting.record)
        else:
            for removed in self._removed:
                self._call(removed, sighting.device_id)

    def _call(self, callback: Callable[[Any], Awaitable[None] | None], argument: object) -> None:
        try:
            result = callback(argument)
        except Exception:
            log.exception("a callback of LocalPeerDiscovery failed")
            return
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(result)
            self._tasks.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a callback of LocalPeerDiscovery failed", exc_info=error)


def _device(property_id: str, advertise: PeerRecord | None) -> DeviceInfo:
    if advertise is None:
        return DeviceInfo("", property_id)
    if not advertise.endpoints:
        raise MisuseError("the record to advertise has no endpoint", hint="start the signaling server first")
    return DeviceInfo(advertise.device_id, property_id, advertise.device_type, advertise.epoch or "")
