"""What one mDNS response says about instances of our type, sorted by instance. Names are in lower case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from hallway.network.interfaces import Address
from hallway_mdns_discovery._dns import (
    CLASS_IN,
    TYPE_A,
    TYPE_AAAA,
    TYPE_SRV,
    TYPE_TXT,
    DNSAddress,
    DNSCache,
    DNSPointer,
    DNSRecord,
    DNSService,
    DNSText,
)
from hallway_mdns_discovery._records import SERVICE_TYPE, is_instance


class Answers:
    """The records of one response, and below them those of zeroconf's cache.

    What the response itself carries comes first: under a flood the cache may have dropped it by the time it is asked. Addresses that were
    cached before ``since_ms`` (zeroconf's clock) are not believed: an answer by unicast replaces none, as zeroconf sends it without the
    cache-flush bit.
    """

    def __init__(self, cache: DNSCache, since_ms: float = 0.0, service_type: str = SERVICE_TYPE) -> None:
        self._cache = cache
        self._type = service_type
        self._since_ms = since_ms
        self.found: dict[str, str] = {}
        """Instances that were announced, with their names as written."""
        self.left: set[str] = set()
        """Instances that said goodbye (RFC 6762 section 10.1)."""
        self._hosts: defaultdict[str, list[DNSAddress]] = defaultdict(list)
        self._services: dict[str, DNSService] = {}
        self._texts: dict[str, DNSText] = {}

    def add(self, records: Iterable[DNSRecord], now_ms: float) -> None:
        """Take in records; ``now_ms`` is zeroconf's clock. What merely expired in its cache says nothing."""
        for record in records:
            if record.ttl == 0:
                self._add_goodbye(record)
            elif not record.is_expired(now_ms):
                self._add_live(record)

    def _add_goodbye(self, record: DNSRecord) -> None:
        if isinstance(record, DNSPointer) and record.key == self._type:
            self.left.add(record.alias.lower())
        elif isinstance(record, DNSService):
            self.left.add(record.key)

    def _add_live(self, record: DNSRecord) -> None:
        if isinstance(record, DNSPointer) and record.key == self._type and is_instance(record.alias, self._type):
            self.found[record.alias.lower()] = record.alias
        elif isinstance(record, DNSService) and is_instance(record.name, self._type):
            self._services[record.key] = record
        elif isinstance(record, DNSText) and is_instance(record.name, self._type):
            self._texts[record.key] = record
        elif isinstance(record, DNSAddress):
            self._hosts[record.key].append(record)

    def named(self) -> set[str]:
        """The instances that live records of this response name."""
        return {*self.found, *self._services, *self._texts}

    def orphans(self) -> set[str]:
        """Hosts of this response whose instances are not in it."""
        return set(self._hosts) - {service.server_key for service in self._services.values()}

    def live_service(self, instance: str) -> DNSService | None:
        """The SRV record of an instance in this response."""
        return self._services.get(instance)

    def live_text(self, instance: str) -> DNSText | None:
        """The TXT record of an instance in this response."""
        return self._texts.get(instance)

    def live_addresses(self, host: str) -> list[Address]:
        """The addresses of a host in this response."""
        return _unpacked(self._hosts.get(host, ()))

    def service(self, instance: str) -> DNSService | None:
        """The newest SRV record of an instance."""
        record = self._services.get(instance) or self._newest(instance, TYPE_SRV)
        return record if isinstance(record, DNSService) else None

    def text(self, instance: str) -> DNSText | None:
        """The newest TXT record of an instance."""
        record = self._texts.get(instance) or self._newest(instance, TYPE_TXT)
        return record if isinstance(record, DNSText) else None

    def addresses(self, host: str) -> list[Address]:
        """The addresses of a host: those of this response and those that are cached."""
        cached = [record for kind in (TYPE_A, TYPE_AAAA) for record in self._cached(host, kind) if record.created >= self._since_ms]
        return [*self.live_addresses(host), *_unpacked(cached)]

    def _newest(self, name: str, kind: int) -> DNSRecord | None:
        return max(self._cached(name, kind), key=lambda record: record.created, default=None)

    def _cached(self, name: str, kind: int) -> Iterator[DNSRecord]:
        # A TTL of 1 s is zeroconf's mark for what a newer record replaces (RFC 6762 section 10.2).
        return (record for record in self._cache.get_all_by_details(name, kind, CLASS_IN) if record.ttl > 1)


def _unpacked(records: Iterable[DNSRecord]) -> list[Address]:
    packed = [record.address for record in records if isinstance(record, DNSAddress)]
    return [ip_address(address) for address in packed if len(address) in (4, 16)]
