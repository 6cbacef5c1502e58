"""From a sighting to an open channel, and what goes over it until it ends."""
