"""Discovery: finds peers. Advertises this device and browses for others."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hallway.model import Sighting


class DiscoveryHost(ABC):
    """What the runtime gives a discovery plugin."""

    @abstractmethod
    def report(self, sighting: Sighting) -> None:
        """Tell of a peer that was seen, changed or has gone.

        Never blocks and never raises. This device itself and devices of other properties must not be reported; a plugin reports `Gone` only
        for a peer that it reported as `Seen`. Must be called from the event loop's thread, and not after `Discovery.aclose` has returned.
        """

    def up(self) -> None:  # noqa: B027 - a host need not care
        """Browsing works again after `down`."""

    def down(self, reason: str) -> None:  # noqa: B027
        """Browsing does not work any more and mends itself; ``reason`` is a clause for people."""


class Discovery(ABC):
    """Finds the peers of this device's property.

    * **Order**: sightings of one peer are reported in the order in which they were seen; between peers there is none.
    * **Loss**: a peer that stays visible is reported at some time; one that vanished silently is reported `Gone` when its record expires.
    * **Concurrency**: no method is called while another one runs, except `aclose`, which may interrupt `start`.
    * **Cancellation**: a cancelled `start` leaves nothing running.
    """

    @abstractmethod
    async def start(self, host: DiscoveryHost) -> None:
        """Begin to browse, and return when browsing works; it must not wait for peers nor for an advertisement to be accepted.

        Raises:
            DiscoveryUnavailable: it cannot come up now (no interface, socket refused). The runtime calls `start` again later.

        """

    @abstractmethod
    async def advertise(self, endpoints: tuple[str, ...]) -> None:
        """Make this device known with these endpoints (URLs, best first), in the background.

        Called after `start`, again whenever the endpoints change; an empty tuple withdraws the advertisement. Returns without waiting for
        the network. A plugin that can only advertise some schemes ignores the rest; one that knows its peers from a list ignores
        them all.
        """

    async def refresh(self) -> None:  # noqa: B027 - a medium without announcements needs none
        """Announce this device again and look for peers at once, in the background: it has slept, or has lost a peer.

        Called after `start` at any time, but not more often than once a second. Returns without waiting for the network. No peer is
        reported for it that is there as before. What does not advertise stays unknown. After `aclose` it does nothing.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Say goodbye where the medium has one, stop browsing and release everything, within 1 s.

        Closing twice is silent. It closes even when it is cancelled or fails.
        """
