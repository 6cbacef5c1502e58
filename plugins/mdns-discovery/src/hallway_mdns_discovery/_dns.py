"""The classes of zeroconf below its stable surface that we use, in one place."""

from zeroconf import (  # type: ignore[attr-defined]
    DNSAddress,
    DNSCache,
    DNSOutgoing,
    DNSPointer,
    DNSQuestion,
    DNSRecord,
    DNSService,
    DNSText,
)

__all__ = ["DNSAddress", "DNSCache", "DNSOutgoing", "DNSPointer", "DNSQuestion", "DNSRecord", "DNSService", "DNSText"]

TYPE_A, TYPE_PTR, TYPE_TXT, TYPE_AAAA, TYPE_SRV, TYPE_ANY = 1, 12, 16, 28, 33, 255
"""RFC 1035 section 3.2.2, RFC 3596, RFC 2782."""
CLASS_IN = 1
UNIQUE = 0x8000
"""The cache-flush bit in the class of a record (RFC 6762 section 10.2)."""
QUERY = 0
"""The flags of a query (RFC 6762 section 18)."""
