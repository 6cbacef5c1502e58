"""Configuration: its shape, where it comes from, and every mistake in it at once."""
