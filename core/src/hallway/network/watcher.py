"""Tells of changes of this device's addresses."""

from __future__ import annotations

import asyncio
import logging
from typing import Self

from hallway.network.interfaces import InterfaceAddress, InterfacePolicy
from hallway.network.notices import ChangeNotices

logger = logging.getLogger(__name__)

INTERVAL = 2.0
"""Seconds between two looks that nothing else caused; one costs about a quarter of a millisecond."""

Addresses = tuple[InterfaceAddress, ...]


class AddressWatcher:
    """The addresses of a policy, each time that they have changed: at once where the kernel tells (Linux), else within ``interval``.

    Example::

        async for addresses in AddressWatcher(context.interfaces, addresses):
            ...

    It has no task of its own: it looks while somebody waits for the next change, and cancelling that wait is all that ends it. Addresses
    that cannot be read now are logged once and looked at again. The order of addresses is no change.

    Args:
        policy: which interfaces count.
        known: what the user has read already; the first change is one from these.
        interval: seconds between two looks that nothing else caused.

    """

    def __init__(self, policy: InterfacePolicy, known: Addresses, *, interval: float = INTERVAL) -> None:
        self._policy = policy
        self._known = frozenset(known)
        self._interval = interval
        self._repeats = False
        self._readable = True

    def repeat(self) -> None:
        """Tell the addresses again after an interval even if they are the same: the user could not follow the last change."""
        self._repeats = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Addresses:
        repeats_at = asyncio.get_running_loop().time() + self._interval
        with ChangeNotices() as notices:
            while (addresses := self._next(repeats_at)) is None:
                await notices.wait(self._interval)
        return addresses

    def _next(self, repeats_at: float) -> Addresses | None:
        """The addresses if they are to be told now."""
        addresses = self._look()
        if addresses is None:
            return None
        repeats = self._repeats and asyncio.get_running_loop().time() >= repeats_at
        if frozenset(addresses) == self._known and not repeats:
            return None
        self._known, self._repeats = frozenset(addresses), False
        return addresses

    def _look(self) -> Addresses | None:
        try:
            addresses = self._policy.addresses()
        except OSError as error:
            logger.log(logging.WARNING if self._readable else logging.DEBUG, "the addresses of this device cannot be read: %s", error)
            self._readable = False
            return None
        self._readable = True
        return addresses
