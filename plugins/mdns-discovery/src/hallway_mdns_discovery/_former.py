"""The addresses that this device announced and does not have any more. Pure: `now` is in seconds and given."""

from __future__ import annotations

from collections.abc import Collection

CAPACITY = 16


class FormerAddresses:
    """What others may still believe: an address that was announced is remembered for its TTL, and at most 16 are.

    A cache-flush bit does not replace them all: not those of a family of which none is left, nor those announced less than a second before
    (RFC 6762 section 10.2). Saying goodbye to them does.
    """

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}

    def announce(self, addresses: Collection[bytes], ttl: float, now: float) -> list[bytes]:
        """Take note of what is announced now, packed, for ``ttl`` seconds. Returns what is to be taken back in the same breath."""
        former = [address for address, until in self._until.items() if until > now and address not in addresses]
        remembered = {address: self._until[address] for address in former[-CAPACITY:]}
        self._until = remembered | dict.fromkeys(addresses, now + ttl)
        return list(remembered)
