"""Names to addresses without a thread: a black-holed DNS server must not hold up start, dial or exit."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING

from hallway.errors import DeadlineExceeded, Unreachable

if TYPE_CHECKING:
    import dns.asyncresolver


class Resolver:
    """Resolves host names with dnspython's asynchronous resolver.

    The system's configuration is read at the first look-up. Concurrent use is fine. Cancelling a look-up ends it at once.
    """

    def __init__(self) -> None:
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def resolve(self, host: str, deadline: float) -> str:
        """Return an IPv4 address of ``host``, or else an IPv6 one; an address is returned as it is.

        ``deadline`` is absolute, in seconds of the running loop's `time()`.

        Raises:
            DeadlineExceeded: the DNS server did not answer in time.
            Unreachable: the name does not exist, or no DNS server can be asked.

        """
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            return await self._look_up(host, deadline)

    async def _look_up(self, host: str, deadline: float) -> str:
        # dnspython is the heaviest import of the core, and most devices never look a name up.
        import dns.exception

        try:
            async with asyncio.timeout_at(deadline):
                return await self._query(host)
        except (TimeoutError, dns.exception.Timeout) as error:
            raise DeadlineExceeded(f"DNS did not answer for {host} in time") from error
        except (dns.exception.DNSException, OSError) as error:
            raise Unreachable(f"{host} cannot be resolved: {error}") from error

    async def _query(self, host: str) -> str:
        import dns.asyncresolver
        import dns.resolver

        if self._resolver is None:
            self._resolver = dns.asyncresolver.Resolver()
        for family in ("A", "AAAA"):
            try:
                answer = await self._resolver.resolve(host, family, search=True)
            except dns.resolver.NoAnswer:
                continue
            return str(answer[0].address)
        raise Unreachable(f"{host} has no address")
