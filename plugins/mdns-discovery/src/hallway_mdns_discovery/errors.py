"""Maps what zeroconf and the sockets below it raise to `hallway.errors`."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import zeroconf

from hallway.errors import DiscoveryUnavailable

NO_INTERFACE = "connect this device to the site's network, or widen [network].interfaces"

_HINTS = {
    errno.EADDRINUSE: "another program holds UDP port 5353 for itself; with avahi, set disallow-other-stacks=no",
    errno.EACCES: "allow this program to use UDP port 5353",
    errno.EPERM: "allow this program to use UDP port 5353",
}


@contextmanager
def mapped() -> Iterator[None]:
    """Turn what goes wrong while mDNS comes up into `DiscoveryUnavailable`."""
    try:
        yield
    except (zeroconf.Error, OSError, RuntimeError) as error:
        hint = _HINTS.get(getattr(error, "errno", 0) or 0, NO_INTERFACE)
        raise DiscoveryUnavailable(f"mDNS cannot come up: {str(error) or type(error).__name__}", hint=hint) from error
