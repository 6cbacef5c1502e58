"""The system's errors as hallway's: what failed, in words that an operator can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hallway.errors import DiscoveryUnavailable


@contextmanager
def mapped(folder: Path) -> Iterator[None]:
    """Turn what the file system raises into errors of `hallway.errors`.

    Raises:
        DiscoveryUnavailable: the folder cannot be read or written.

    """
    try:
        yield
    except OSError as error:
        raise DiscoveryUnavailable(
            f"{folder} cannot be used: {error.strerror or error}", hint="see that it is mounted and writable"
        ) from error
