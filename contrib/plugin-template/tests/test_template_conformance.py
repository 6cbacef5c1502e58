"""template keeps the promises of a discovery."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from hallway.interfaces import Discovery
from hallway.model import DeviceInfo
from hallway.testing.conformance import DiscoveryCapabilities, DiscoveryConformance, context
from hallway_plugin_template.config import TemplateConfig
from hallway_plugin_template.plugin import hallway_discovery


class TestTemplate(DiscoveryConformance):
    provider = next(iter(hallway_discovery()))
    capabilities = DiscoveryCapabilities(hinderable=True)

    @asynccontextmanager
    async def site(self) -> AsyncIterator[Callable[[DeviceInfo], Discovery]]:
        with tempfile.TemporaryDirectory() as scratch:
            self.folder = Path(scratch, "site")
            config = TemplateConfig(path=str(self.folder), interval=0.02)
            yield lambda device: self.provider.factory(config, context(device))

    @asynccontextmanager
    async def hindrance(self) -> AsyncIterator[None]:
        away = self.folder.rename(self.folder.with_name("away"))
        self.folder.write_text("this is no folder")
        yield
        self.folder.unlink()
        away.rename(self.folder)
