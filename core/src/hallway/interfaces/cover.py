"""Cover: the names under which the devices of a property appear where outsiders can see them. Only members can tell who is who."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping


class Cover(ABC):
    """What a plugin shows instead of names. A device without one (`PluginContext.cover` is None) shows its names.

    All of it changes with the property's group secret, at every revocation for instance; `watch` tells. Methods must be called from the
    event loop's thread; none of them blocks.
    """

    @property
    @abstractmethod
    def room(self) -> str:
        """The name of the property, for where its devices meet: 32 letters and digits."""

    @property
    def earlier(self) -> tuple[Cover, ...]:
        """The covers of before the last changes, the newest first: a device that has missed a change looks for its peers under them.

        They have a room and tags, and no beacons. By default there are none.
        """
        return ()

    @abstractmethod
    def tag(self, device_id: str) -> str | None:
        """How the device of that name is addressed: 16 letters and digits; None for one that does not belong to the property."""

    @abstractmethod
    def who(self, tag: str) -> str | None:
        """The name of the device with that tag; None for an outsider's, and for one of another time."""

    @abstractmethod
    def beacon(self, instance: str, port: int) -> Mapping[str, str]:
        """What this device shows to be recognised by its peers, as a few short texts by key.

        ``instance`` is the name under which it shows this, new at every start, and ``port`` where it can be asked: a beacon that is shown
        under another name, or leads to another port, is nobody's.
        """

    @abstractmethod
    def recognise(self, beacon: Mapping[str, str], instance: str, port: int) -> str | None:
        """The name of the device that shows this beacon; None for an outsider's."""

    @abstractmethod
    def watch(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, in the event loop, each time after names have changed: beacons are to be shown and recognised anew."""
