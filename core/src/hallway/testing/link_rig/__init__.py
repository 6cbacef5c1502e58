"""Whole meshes of links joined by a network that does not exist: virtual time, seeded faults, every promise checked at every step.

Nothing here waits: a minute of a link's life takes a few milliseconds, and the same seed gives the same life. A failure tells the command
that repeats it: ``python -m hallway.testing.link_rig --seed 7 --devices 3``.
"""

from hallway.testing.link_rig.lives import Outcome, conclude, live
from hallway.testing.link_rig.rig import Rig
from hallway.testing.link_rig.values import Ends, PromiseBroken, Setting, Weather

__all__ = ["Ends", "Outcome", "PromiseBroken", "Rig", "Setting", "Weather", "conclude", "live"]
