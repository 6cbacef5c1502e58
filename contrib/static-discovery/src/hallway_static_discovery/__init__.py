"""hallway discovery from a list in the configuration."""
