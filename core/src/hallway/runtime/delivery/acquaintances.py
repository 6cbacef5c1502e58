"""Who was linked lately: asked at every message, read from the store now and then."""

from __future__ import annotations

import time

from hallway.runtime.delivery.trouble import Trouble
from hallway.store import Store

READ_AGAIN_SECONDS = 3600.0
"""How long what was read counts: so much longer than ``remembered`` somebody may be known."""


class Acquaintances:
    """The peers that this device has met. ``remembered``: seconds for which one that is away counts as known."""

    def __init__(self, store: Store, trouble: Trouble, remembered: float) -> None:
        self._store = store
        self._trouble = trouble
        self._remembered = remembered
        self._names: dict[str, str] | None = None
        self._read_at = 0.0
        self._changes = 0

    async def names(self) -> tuple[str, ...]:
        """The peers that were linked lately, away or not, as they write their ids.

        Raises:
            StoreError: it cannot be read.

        """
        return tuple((await self._known()).values())

    async def includes(self, peer_id: str) -> bool:
        """Whether that peer was linked lately.

        Raises:
            StoreError: it cannot be read.

        """
        return peer_id.lower() in await self._known()

    async def meet(self, peer_id: str) -> None:
        """There is a link to that peer."""
        seen = time.time()
        await self._trouble.insist("who was here cannot be noted", lambda: self._store.met(peer_id, seen))
        self.changed()

    def changed(self) -> None:
        """The store holds something else now."""
        self._names = None
        self._changes += 1

    async def _known(self) -> dict[str, str]:
        if self._names is not None and time.monotonic() < self._read_at + READ_AGAIN_SECONDS:
            return self._names
        before = self._changes
        names = {name.lower(): name for name in await self._store.peers(time.time() - self._remembered)}
        if before == self._changes:
            self._names, self._read_at = names, time.monotonic()
        return names
