"""Decisions without I/O: events and `now` go in, effects and the next deadline come out. `now` is in seconds of any monotonic clock."""
