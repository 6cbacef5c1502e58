"""What a target of fuzzing is: one reader of what comes from outside, with valid bytes to begin with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs

Run = Callable[[bytes], str]
"""Gives the bytes to the reader. Returns a word for the outcome; anything raised is a finding."""

TAKEN = "taken"
"""The outcome for bytes that are what they should be."""


@attrs.frozen
class Room:
    """Where a target may keep files, and what is to be closed in the end."""

    folder: Path
    closing: ExitStack = attrs.field(factory=ExitStack)

    def hush(self) -> None:
        """Let hallway log nothing until the end: what is refused is said thousands of times."""
        logger = logging.getLogger("hallway")
        self.closing.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL + 1)


@attrs.frozen
class Target:
    """``make`` prepares the reader and returns what runs it; ``samples`` are taken by it as they are, every one; ``also`` are refused."""

    name: str
    samples: Callable[[], tuple[bytes, ...]]
    make: Callable[[Room], Run]
    most: int = 8192
    """Bytes of input, at most, where coverage guides: what takes more is slow and finds little."""
    also: Callable[[], tuple[bytes, ...]] = tuple
    slow: bool = False
    """Whether a run takes ten milliseconds or more."""


def packed(*messages: bytes) -> bytes:
    """Several messages as the input of one run."""
    return b"".join(len(message).to_bytes(3, "big") + message for message in messages)


def unpacked(data: bytes) -> Iterator[bytes]:
    """The messages again; whatever the bytes are, they are some."""
    while data:
        size = int.from_bytes(data[:3], "big")
        yield data[3 : 3 + size]
        data = data[3 + size :]


def text_of(data: bytes) -> str:
    """The bytes as text in which everything may be that a Python text can hold."""
    return data.decode("utf-8", "surrogateescape")
