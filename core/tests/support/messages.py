"""Frames of messages, as a peer would send them."""

from __future__ import annotations

from typing import Any

from hallway.protocol import batches, packed


def says(*values: Any, prefix: int = 7, first: int = 1) -> bytes:
    """The frame in which these messages go out."""
    return batches.encode(prefix, first, [packed.pack(value) for value in values])
