"""For tests: plugins in memory that keep the contracts of `hallway.interfaces`, fast and without a network."""
