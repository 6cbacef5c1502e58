"""Signaling: carries offers, answers and ICE candidates to one peer. A carrier moves bytes and knows nothing of security modes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hallway.model import Envelope, Origin, Refusal, Sighting


class SignalingHost(ABC):
    """What the runtime gives a signaling plugin."""

    @abstractmethod
    async def handle(self, envelope: Envelope, origin: Origin) -> Envelope | Refusal:
        """Decide on a request that came in and return the response to carry back.

        Never raises but for cancellation, which ends the work: cancel it when the requester has gone. May be called concurrently; it
        answers within its own deadline (10 s).
        """

    @abstractmethod
    def report(self, sighting: Sighting) -> None:
        """As `DiscoveryHost.report`, for a carrier that also sees who is there (presence)."""

    @abstractmethod
    def up(self, listen: tuple[str, ...]) -> None:
        """This carrier works: it can take requests. ``listen`` are its URLs as others reach them, best first, no path."""

    @abstractmethod
    def down(self, reason: str) -> None:
        """This carrier does not work any more and mends itself; `up` is called again then. ``reason`` is a clause for people."""


class Signaling(ABC):
    """Carries requests to peers and hands in theirs.

    * **Order**: none between requests.
    * **Loss**: a request either returns what the peer's handler returned, or raises; it may have been handled when it raises.
    * **Concurrency**: `request` may run any number of times at once, also while `start` runs.
    * **Backpressure**: what comes in is bounded by the plugin in size, time, number and rate; refused requests cost the requester only.
    * **Cancellation**: a cancelled request leaves nothing behind at this end; a cancelled `start` leaves nothing running.
    """

    @abstractmethod
    async def start(self, host: SignalingHost) -> None:
        """Come up, call ``host.up``, and return; requests may come in before it returns.

        Raises:
            SignalingUnavailable: it cannot come up now (ports taken, server away). The runtime calls `start` again later.

        """

    @abstractmethod
    async def request(self, endpoint: str, envelope: Envelope, deadline: float) -> Envelope | Refusal:
        """Carry ``envelope`` to the device behind ``endpoint`` (a URL of one of the plugin's schemes) and return what it answers.

        ``deadline`` is absolute, in seconds of the running loop's `time()`.

        Raises:
            Unreachable: there is no way to that endpoint now.
            DeadlineExceeded: no answer came in time.
            BadEnvelope: the answer cannot be read, or is larger than 64 KiB.
            ClosedError: after `aclose`.

        """

    @abstractmethod
    async def aclose(self) -> None:
        """Refuse new requests, end those under way and release everything, within 1 s. Closing twice is silent."""
