"""Under which names devices meet at the server: their own, or those of a cover."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hallway.interfaces import Cover
from hallway.model import DeviceInfo, PeerRecord
from hallway_cloud_ws_signaling._messages import Join, Member
from hallway_cloud_ws_signaling.config import SCHEME


class Names(ABC):
    """What is said of devices to the server, and what its words mean."""

    @abstractmethod
    def join(self) -> Join:
        """The place that this device asks for now."""

    @abstractmethod
    def tag(self, device_id: str) -> str | None:
        """How the server is asked for the device of that name; None if it cannot be."""

    @abstractmethod
    def record(self, member: Member) -> PeerRecord | None:
        """Who somebody in the room is; None for a stranger."""


class PlainNames(Names):
    """The devices' own names, in a room that has the property's."""

    def __init__(self, device: DeviceInfo, room: str | None) -> None:
        self._device = device
        self._room = room or device.property_id

    def join(self) -> Join:
        """See `Names.join`."""
        return Join(self._room, Member(self._device.device_id, self._device.device_type, self._device.epoch))

    def tag(self, device_id: str) -> str | None:
        """See `Names.tag`."""
        return device_id

    def record(self, member: Member) -> PeerRecord | None:
        """See `Names.record`."""
        endpoint = f"{SCHEME}:{member.device_id}"
        return PeerRecord(member.device_id, self._device.property_id, member.device_type, (endpoint,), member.epoch)


class CoveredNames(Names):
    """Tags, in a room that the server can tell nothing from; all of them are other ones in each epoch."""

    def __init__(self, device: DeviceInfo, cover: Cover) -> None:
        self._device = device
        self._cover = cover

    def join(self) -> Join:
        """See `Names.join`."""
        return Join(self._cover.room, Member(self._cover.tag(self._device.device_id) or ""))

    def tag(self, device_id: str) -> str | None:
        """See `Names.tag`."""
        return self._cover.tag(device_id)

    def record(self, member: Member) -> PeerRecord | None:
        """See `Names.record`."""
        name = self._cover.who(member.device_id.lower())
        return None if name is None else PeerRecord(name, self._device.property_id, endpoints=(f"{SCHEME}:{name}",))
