"""The shared folder: one file for each device. Everything here blocks, and belongs into a thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from hallway.model import DeviceInfo, PeerRecord, same_device
from hallway_plugin_template import _record
from hallway_plugin_template.errors import mapped


class RecordFolder:
    """Writes the file of this device and reads those of others."""

    def __init__(self, path: Path, device: DeviceInfo, expiry: float) -> None:
        self._path = path
        self._device = device
        self._expiry = expiry
        self._mine = path / f"{device.device_id.lower()}.json"

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            DiscoveryUnavailable: it cannot be used now.

        """
        with mapped(self._path):
            self._path.mkdir(parents=True, exist_ok=True)

    def exchange(self, endpoints: tuple[str, ...]) -> dict[str, PeerRecord]:
        """Show this device with ``endpoints``, or not at all without any, and return the peers of its property by device id.

        Raises:
            DiscoveryUnavailable: the folder cannot be used now.

        """
        with mapped(self._path):
            if endpoints:
                part = self._mine.with_suffix(".part")
                part.write_bytes(_record.dumps(self._device, endpoints))
                part.replace(self._mine)
            else:
                self._mine.unlink(missing_ok=True)
            return {record.device_id: record for record in self._peers()}

    def _peers(self) -> Iterator[PeerRecord]:
        for path in list(self._path.iterdir()):
            record = self._read(path) if path.suffix == ".json" else None
            if record is None or record.property_id != self._device.property_id:
                continue
            if not same_device(record.device_id, self._device.device_id):
                yield record

    def _read(self, path: Path) -> PeerRecord | None:
        try:
            if path.stat().st_mtime < time.time() - self._expiry:
                return None
            with path.open("rb") as file:
                return _record.loads(file.read(_record.MAX_BYTES + 1))
        except FileNotFoundError:
            return None  # it went while we looked
