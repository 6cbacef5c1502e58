"""The suite of the role discovery: `hallway.interfaces.Discovery`."""

from hallway.testing.conformance.discovery.lifecycle import Lifecycle
from hallway.testing.conformance.discovery.sightings import Sightings
from hallway.testing.conformance.suite import published


@published
class DiscoveryConformance(Lifecycle, Sightings):
    """Holds a discovery plugin to its promises. See `hallway.testing.conformance`."""


__all__ = ["DiscoveryConformance"]
