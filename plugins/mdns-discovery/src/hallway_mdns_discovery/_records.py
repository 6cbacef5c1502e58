"""From the records of one service instance to a `PeerRecord`, and back. Pure: whatever the bytes, a valid value or None."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from hallway.errors import ConfigError, Mistake
from hallway.model import DeviceInfo, PeerRecord, is_device_id, is_name
from hallway.network import InterfaceAddress, Lan
from hallway.network.interfaces import Address

SERVICE_TYPE = "_webrtc-peer._tcp.local."
MAX_ADDRESSES = 8
MAX_EPOCH = 64
WIRE_VERSION = "1"

_MAX_TXT_STRING = 255
"""Bytes of ``key=value`` (RFC 6763 section 6.1)."""


def instance_name(device_id: str) -> str:
    """The full name of a device's service instance (RFC 6763 section 4.1)."""
    return f"{device_id}.{SERVICE_TYPE}"


def host_name(device_id: str) -> str:
    """The name under which a device's addresses are published."""
    return f"{device_id}.local."


def is_instance(name: str, service_type: str = SERVICE_TYPE) -> bool:
    """Whether ``name`` is an instance of the service type; case does not count."""
    return name.lower().endswith(f".{service_type}")


def parse_txt(text: bytes) -> dict[str, str]:
    """The attributes of a TXT record, keys in lower case.

    The first of equal keys counts (RFC 6763 section 6.4); attributes without a value or not in UTF-8 are left out.
    """
    found: dict[str, str | None] = {}
    position = 0
    while position < len(text):
        end = position + 1 + text[position]
        key, separator, value = text[position + 1 : end].partition(b"=")
        if key and separator:
            found.setdefault(key.decode("ascii", "replace").lower(), _decoded(value))
        position = end
    return {key: value for key, value in found.items() if value is not None}


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def make_txt(device: DeviceInfo) -> dict[str, str]:
    """The attributes of this device's TXT record.

    Raises:
        ConfigError: the property or the type has too many bytes for a TXT string.

    """
    attributes = {"deviceId": device.device_id, "propertyId": device.property_id, "deviceType": device.device_type}
    mistakes = [
        Mistake(path, f"has {len(attributes[key].encode())} bytes of UTF-8, more than mDNS carries", f"at most {_room(key)}")
        for key, path in (("propertyId", "device.property"), ("deviceType", "device.type"))
        if len(attributes[key].encode()) > _room(key)
    ]
    if mistakes:
        raise ConfigError(mistakes)
    return attributes | ({"hallway": f"{WIRE_VERSION},{device.epoch}"} if device.epoch else {})


def _room(key: str) -> int:
    return _MAX_TXT_STRING - len(key) - 1


def parse_epoch(value: str | None) -> str | None:
    """The epoch in the attribute ``hallway`` (``version,epoch``); None for a device that does not speak hallway."""
    version, _, epoch = (value or "").partition(",")
    fits = version.isascii() and version.isdigit() and 0 < len(epoch) <= MAX_EPOCH
    return epoch if fits and epoch.isascii() and epoch.isprintable() else None


def peer_record(name: str, port: int, text: bytes, addresses: Sequence[Address], lan: Lan) -> PeerRecord | None:
    """What the records of the instance ``name`` say, or None if they name no device that could be reached.

    The id in the TXT record counts, whatever the instance is called, since other implementations may choose other instance names;
    without a valid one the instance's label is the id. Neither is proof of anything in open mode.
    """
    attributes = parse_txt(text)
    label = name[: -len(SERVICE_TYPE) - 1]
    device_id = attributes.get("deviceid") if is_device_id(attributes.get("deviceid")) else label
    property_id = attributes.get("propertyid", "")
    endpoints = make_endpoints(port, addresses, lan)
    if not (is_device_id(device_id) and is_name(property_id) and endpoints):
        return None
    device_type = attributes.get("devicetype", "")
    return PeerRecord(
        device_id=device_id or label,
        property_id=property_id,
        device_type=device_type if is_name(device_type) else "device",
        endpoints=endpoints,
        epoch=parse_epoch(attributes.get("hallway")),
    )


def make_endpoints(port: int, addresses: Sequence[Address], lan: Lan) -> tuple[str, ...]:
    """URLs for at most 8 addresses of the LAN: on-link before others, IPv4 before IPv6, else by number so that order is no change."""
    if not 0 < port < 65536:
        return ()
    usable = {ip for ip in addresses if lan.holds(ip)}
    best = sorted(usable, key=lambda ip: (not lan.on_link(ip), ip.version, int(ip)))[:MAX_ADDRESSES]
    return tuple(f"http://{ip if ip.version == 4 else f'[{ip}]'}:{port}" for ip in best)


def advertised(endpoints: Sequence[str], own: Sequence[InterfaceAddress]) -> tuple[int, tuple[str, ...]] | None:
    """The port and addresses to publish for these endpoints, or None if none of them is HTTP.

    One SRV record has one port: that of the first HTTP endpoint. Only addresses of the interface policy are published: those named by
    endpoints with this port, or all of them if these name none (``http://0.0.0.0:8090``).
    """
    urls = [url for url in map(urlsplit, endpoints) if url.scheme == "http" and url.port]
    if not urls or urls[0].port is None:
        return None
    named = {url.hostname for url in urls if url.port == urls[0].port}
    ours = [str(address.ip) for address in own]
    return urls[0].port, tuple([ip for ip in ours if ip in named] or ours)
