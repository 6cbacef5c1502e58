"""The folder keeps the promises of a carrier."""

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

from hallway_folder import FolderConfig, hallway_signaling

from hallway.testing.conformance import SignalingCapabilities, SignalingConformance, context


class TestFolder(SignalingConformance):
    provider = hallway_signaling()[0]
    capabilities = SignalingCapabilities(presence=False, knows_addresses=False, cancels_handler=False, hinderable=True)

    @asynccontextmanager
    async def site(self):
        with tempfile.TemporaryDirectory() as folder:
            self.folder = Path(folder, "site")
            yield lambda device: self.provider.factory(FolderConfig(path=str(self.folder)), context(device))

    @asynccontextmanager
    async def hindrance(self):
        away = self.folder.rename(self.folder.with_name("away"))
        self.folder.write_text("this is no folder")
        yield
        self.folder.unlink()
        away.rename(self.folder)
