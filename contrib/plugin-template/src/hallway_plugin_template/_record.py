"""The file of one device: JSON out, and in with suspicion. Pure."""

from __future__ import annotations

import json
from typing import Any

import attrs

from hallway.model import DeviceInfo, PeerRecord, is_device_id, is_name

MAX_BYTES = 4096
"""Bytes of one file, at most; a larger one is not read."""
MAX_ENDPOINTS = 8


def dumps(device: DeviceInfo, endpoints: tuple[str, ...]) -> bytes:
    """What a device writes of itself."""
    return json.dumps({**attrs.asdict(device), "endpoints": endpoints}).encode()


def loads(body: bytes) -> PeerRecord | None:
    """What a file says, or None if it is not one of ours."""
    try:
        facts = json.loads(body) if len(body) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        return None
    return _record(facts) if isinstance(facts, dict) else None


def _record(facts: dict[str, Any]) -> PeerRecord | None:
    names = (facts.get("property_id"), facts.get("device_type"), facts.get("epoch"))
    endpoints = facts.get("endpoints")
    if not (is_device_id(facts.get("device_id")) and all(map(is_name, names)) and _are_endpoints(endpoints)):
        return None
    return PeerRecord(facts["device_id"], names[0], names[1], tuple(endpoints), names[2])  # type: ignore[arg-type]


def _are_endpoints(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= MAX_ENDPOINTS and all(isinstance(each, str) for each in value)
