"""Two links joined by a network that does not exist: virtual time, seeded faults, every promise of `protocol.link` checked at every step.

Nothing here waits: a minute of a link's life takes a few milliseconds, and the same seed gives the same life.
"""

from hallway.testing.link_rig.lives import Outcome, live
from hallway.testing.link_rig.rig import Rig
from hallway.testing.link_rig.values import NAMES, PromiseBroken, Weather

__all__ = ["NAMES", "Outcome", "PromiseBroken", "Rig", "Weather", "live"]
