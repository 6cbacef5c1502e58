"""How devices look in mDNS: under their names, or behind a cover."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence

from hallway.interfaces import Cover
from hallway.model import DeviceInfo, PeerRecord
from hallway.network import Lan
from hallway.network.interfaces import Address
from hallway_mdns_discovery._records import SERVICE_TYPE, host_name, instance_name, make_endpoints, make_txt, parse_txt, peer_record

COVERED_TYPE = "_hallway._tcp.local."


class Face(ABC):
    """How this device shows itself, and how it reads what others show.

    ``instance`` and ``host`` are full names, which never change.
    """

    service_type: str
    instance: str
    host: str

    @abstractmethod
    def txt(self, port: int) -> dict[str, str]:
        """The attributes of this device's TXT record while it can be asked at ``port``."""

    @abstractmethod
    def read(self, name: str, port: int, text: bytes, addresses: Sequence[Address], lan: Lan) -> PeerRecord | None:
        """What the records of the instance ``name`` say; None if they name no device that could be reached."""


class PlainFace(Face):
    """The seed's: everybody sees who it is.

    Raises:
        ConfigError: the property or the type has too many bytes for a TXT string.

    """

    service_type = SERVICE_TYPE

    def __init__(self, device: DeviceInfo) -> None:
        self.instance, self.host = instance_name(device.device_id), host_name(device.device_id)
        self._txt = make_txt(device)

    def txt(self, port: int) -> dict[str, str]:
        """See `Face.txt`."""
        return dict(self._txt)

    def read(self, name: str, port: int, text: bytes, addresses: Sequence[Address], lan: Lan) -> PeerRecord | None:
        """See `Face.read`."""
        return peer_record(name, port, text, addresses, lan)


class CoveredFace(Face):
    """Names that are random at every start, and a beacon: outsiders learn that some device is there."""

    service_type = COVERED_TYPE

    def __init__(self, device: DeviceInfo, cover: Cover) -> None:
        self._device = device
        self._cover = cover
        self._label = secrets.token_hex(8)
        self.instance, self.host = f"{self._label}.{COVERED_TYPE}", f"{secrets.token_hex(8)}.local."

    def txt(self, port: int) -> dict[str, str]:
        """See `Face.txt`."""
        return dict(self._cover.beacon(self._label, port))

    def read(self, name: str, port: int, text: bytes, addresses: Sequence[Address], lan: Lan) -> PeerRecord | None:
        """See `Face.read`."""
        device_id = self._cover.recognise(parse_txt(text), name[: -len(COVERED_TYPE) - 1].lower(), port)
        endpoints = make_endpoints(port, addresses, lan) if device_id is not None else ()
        if device_id is None or not endpoints:
            return None
        return PeerRecord(device_id, self._device.property_id, endpoints=endpoints)
