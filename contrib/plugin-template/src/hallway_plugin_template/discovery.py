"""Discovery over a shared folder: one task looks at it again and again, in a thread, and tells what has changed."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from hallway.errors import ClosedError, DiscoveryUnavailable
from hallway.interfaces import Discovery, DiscoveryHost
from hallway.model import Gone, PeerRecord, Seen
from hallway.plugins import PluginContext
from hallway_plugin_template.config import TemplateConfig
from hallway_plugin_template.folder import RecordFolder

CLOSE_SECONDS = 0.8
"""How long closing waits for a folder that hangs."""


class FolderDiscovery(Discovery):
    """See `hallway.interfaces.Discovery`."""

    def __init__(self, config: TemplateConfig, context: PluginContext) -> None:
        self._folder = RecordFolder(Path(config.path), context.device, config.expiry)
        self._interval = config.interval
        self._endpoints: tuple[str, ...] = ()
        self._seen: dict[str, PeerRecord] = {}
        self._wake = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self, host: DiscoveryHost) -> None:
        """See `Discovery.start`."""
        await asyncio.to_thread(self._folder.prepare)
        # It may have been closed meanwhile.
        self._check_open()
        self._watching = asyncio.create_task(self._watch(host), name="template discovery")

    async def advertise(self, endpoints: tuple[str, ...]) -> None:
        """See `Discovery.advertise`: the next look writes them."""
        self._check_open()
        self._endpoints = endpoints
        self._wake.set()

    async def refresh(self) -> None:
        """See `Discovery.refresh`: the next look is now. It has no effect on the task of a closed one, which has ended."""
        self._wake.set()

    async def aclose(self) -> None:
        """See `Discovery.aclose`: the task removes our file and ends by itself, whether or not somebody waits for it."""
        self._closed = True
        self._wake.set()
        if self._watching is not None:
            await asyncio.wait([self._watching], timeout=CLOSE_SECONDS)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("template discovery was closed")

    async def _watch(self, host: DiscoveryHost) -> None:
        is_up = True
        while not self._closed:
            self._wake.clear()
            try:
                found = await asyncio.to_thread(self._folder.exchange, self._endpoints)
            except DiscoveryUnavailable as error:
                if is_up and not self._closed:
                    host.down(str(error))
                is_up = False
            else:
                if not is_up and not self._closed:
                    host.up()
                is_up = True
                self._tell(host, found)
            await self._pause()
        with contextlib.suppress(DiscoveryUnavailable):
            await asyncio.to_thread(self._folder.exchange, ())

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval):
                await self._wake.wait()

    def _tell(self, host: DiscoveryHost, found: dict[str, PeerRecord]) -> None:
        if self._closed:
            return
        for device_id in self._seen.keys() - found.keys():
            host.report(Gone(device_id))
        for device_id, record in found.items():
            if self._seen.get(device_id) != record:
                host.report(Seen(record))
        self._seen = found
