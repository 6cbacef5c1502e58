"""What we rely on in zeroconf beyond its documented interface, checked once when a discovery is made.

zeroconf renames such things without a new major version. That must fail with one clear sentence, not with a device that nobody finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import version

from hallway.errors import PluginError

ATTRIBUTES = {
    "zeroconf:DNSAddress": ("address",),
    "zeroconf:DNSCache": ("get", "get_all_by_details"),
    "zeroconf:DNSOutgoing": ("add_answer_at_time", "add_question", "authorities"),
    "zeroconf:DNSPointer": ("alias",),
    "zeroconf:DNSQuestion": ("unicast",),
    "zeroconf:DNSRecord": ("created", "get_remaining_ttl", "is_expired", "is_stale", "key", "name", "ttl"),
    "zeroconf:DNSService": ("port", "server", "server_key"),
    "zeroconf:DNSText": ("text",),
    "zeroconf:RecordUpdate": ("new",),
    "zeroconf:RecordUpdateListener": ("async_update_records", "async_update_records_complete"),
    "zeroconf:ServiceInfo": ("dns_addresses", "dns_service", "dns_text", "host_ttl", "name", "port", "server", "server_key", "text"),
    "zeroconf:Zeroconf": (
        "async_add_listener", "async_remove_listener", "async_send", "async_wait_for_start", "cache", "engine",
        "generate_service_broadcast", "out_delay_queue", "out_queue", "registry",
    ),
    "zeroconf._engine:AsyncEngine": ("async_update_interfaces", "readers", "senders"),
    "zeroconf._handlers.multicast_outgoing_queue:MulticastOutgoingQueue": ("queue",),
    "zeroconf._services.registry:ServiceRegistry": ("async_add", "async_remove", "async_update"),
    "zeroconf._transport:_WrappedTransport": ("transport",),
    "zeroconf.asyncio:AsyncZeroconf": ("async_close", "zeroconf"),
}  # fmt: skip
"""Classes, and what we call, read or set of their instances."""


def _has(owner: type, name: str) -> bool:
    # What a constructor sets is in its bytecode: making an instance would open sockets.
    code = getattr(owner.__init__, "__code__", None)  # type: ignore[misc]
    return hasattr(owner, name) or (code is not None and name in code.co_names)


def _missing() -> Iterator[str]:
    for place, names in ATTRIBUTES.items():
        module, _, class_name = place.partition(":")
        try:
            owner = getattr(import_module(module), class_name)
        except (ImportError, AttributeError):
            yield place
            continue
        yield from (f"{place}.{name}" for name in names if not _has(owner, name))


@cache
def check_library() -> None:
    """Make sure that the installed zeroconf is one that this plugin can use.

    Raises:
        PluginError: it is not; it names everything that is missing.

    """
    missing = ", ".join(_missing())
    if missing:
        raise PluginError(
            "mdns",
            f"zeroconf {version('zeroconf')} has no {missing}",
            distribution=f"hallway-mdns-discovery {version('hallway-mdns-discovery')}",
            hint="install the zeroconf that hallway-mdns-discovery asks for",
        )
