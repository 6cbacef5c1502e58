"""The suite of the role signaling: `hallway.interfaces.Signaling`."""

from hallway.testing.conformance.signaling.closing import Closing
from hallway.testing.conformance.signaling.concurrency import Concurrency
from hallway.testing.conformance.signaling.deadlines import Deadlines
from hallway.testing.conformance.signaling.exchange import Exchange
from hallway.testing.conformance.signaling.presence import Presence
from hallway.testing.conformance.signaling.starting import Starting
from hallway.testing.conformance.suite import published


@published
class SignalingConformance(Presence, Starting, Closing, Deadlines, Concurrency, Exchange):
    """Holds a signaling plugin to its promises. See `hallway.testing.conformance`."""


__all__ = ["SignalingConformance"]
