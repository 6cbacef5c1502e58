"""DNS names made into addresses: http-local answers to nothing else, and a peer is known by the address of its requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from ipaddress import ip_address

from hallway.errors import NetworkError
from hallway.network import Resolver
from hallway.network.reach import is_plain
from hallway_static_discovery import _places

log = logging.getLogger(__name__)

DNS_SECONDS = 5.0
"""How long one look-up may take."""


class Names:
    """Names and the addresses that DNS gave last; one that fails keeps the address that it had."""

    def __init__(self, names: Iterable[str], resolver: Resolver) -> None:
        self._names = tuple(names)
        self._resolver = resolver
        self._known: dict[str, str] = {}
        self._missing: set[str] = set()

    async def look_up(self) -> bool:
        """Ask for all of them at once, for `DNS_SECONDS` at most; False if one has no address now. That is logged once."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._look_up(name)) for name in self._names]
        return all(task.result() for task in tasks)

    async def _look_up(self, name: str) -> bool:
        try:
            address = await self._resolver.resolve(name, asyncio.get_running_loop().time() + DNS_SECONDS)
        except NetworkError as error:
            return self._misses(name, str(error))
        if not is_plain(ip_address(address)):
            return self._misses(name, f"{name} is {address}, where no peer can be reached")
        self._known[name] = address
        self._missing.discard(name)
        return True

    def _misses(self, name: str, reason: str) -> bool:
        log.log(logging.DEBUG if name in self._missing else logging.WARNING, "a listed peer has no address now: %s", reason)
        self._missing.add(name)
        return False

    def placed(self, endpoints: Iterable[str]) -> tuple[str, ...]:
        """The endpoints with addresses for names; without those whose name has none yet."""
        known = (_places.with_address(endpoint, self._known) for endpoint in endpoints)
        return tuple(dict.fromkeys(endpoint for endpoint in known if endpoint is not None))
