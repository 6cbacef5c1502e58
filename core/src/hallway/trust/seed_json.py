"""The seed's JSON, read with suspicion: bytes in, a message or a refusal out. Pure, and the one place that knows its shape and bounds.

::

    {"from", "to", "sdp": {"type", "sdp"}, "iceCandidates": [RTCIceCandidateInit, ...]}     offer, answer
    {"from", "to", "candidate": RTCIceCandidateInit}                                        candidate

``propertyId`` may be there, and is refused if it is not ours. Other keys are ignored (docs/decisions/0006).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from hallway.model import Candidate, Refusal, RefusalCode, is_device_id, same_device
from hallway.protocol import jsontext

MAX_CANDIDATES = 32
"""Candidates beside one description, at most."""


@attrs.frozen
class SeedMessage:
    """An offer, an answer or a trickled candidate that was sent to this device."""

    sender: str
    to: str
    sdp: str
    """The SDP of an offer or answer; "" for a candidate."""
    candidates: tuple[Candidate, ...]
    """Those beside the SDP, or the one that was trickled."""
    json: Mapping[str, Any] = attrs.field(repr=False)
    """The JSON as it came."""


class Invalid(ValueError):
    """The JSON is not of the right shape; the message is a sentence for the sender."""


def read(kind: str, body: bytes, device_id: str, property_id: str) -> SeedMessage | Refusal:
    """Read the body of an envelope of ``kind`` (offer, answer or candidate) that came to the device ``device_id``. Never raises."""
    try:
        json = read_object(jsontext.loads(body), "the body")
        message = _read(kind, json)
    except (jsontext.BadJson, Invalid) as error:
        return Refusal(RefusalCode.BAD_REQUEST, str(error))
    return _misdirected(message, device_id, property_id) or message


def read_object(value: Any, name: str) -> dict[str, Any]:
    """Return ``value`` if it is a JSON object, or raise `Invalid` that names it."""
    if not isinstance(value, dict):
        raise Invalid(f"{name} must be an object")
    return value


def read_text(value: Any, name: str) -> str:
    """Return ``value`` if it is a text, or raise `Invalid` that names it."""
    if not isinstance(value, str):
        raise Invalid(f"{name} must be a text")
    return value


def _misdirected(message: SeedMessage, device_id: str, property_id: str) -> Refusal | None:
    if not same_device(message.to, device_id):
        return Refusal(RefusalCode.WRONG_DEVICE, f"this is {device_id}, not {message.to}")
    if same_device(message.sender, device_id):
        return Refusal(RefusalCode.BAD_REQUEST, "'from' is this device itself")
    if message.json.get("propertyId", property_id) != property_id:
        return Refusal(RefusalCode.WRONG_PROPERTY, "this device belongs to another property")
    return None


def _read(kind: str, json: dict[str, Any]) -> SeedMessage:
    sender, to = _device_id(json, "from"), _device_id(json, "to")
    if kind == "candidate":
        return SeedMessage(sender, to, "", (_candidate(json.get("candidate")),), json)
    return SeedMessage(sender, to, _sdp(kind, json.get("sdp")), _candidates(json.get("iceCandidates", [])), json)


def _sdp(kind: str, value: Any) -> str:
    sdp = read_object(value, "'sdp'")
    if sdp.get("type") != kind or kind not in ("offer", "answer"):
        raise Invalid(f"'sdp.type' must be {kind!r}")
    return read_text(sdp.get("sdp"), "'sdp.sdp'")


def _candidates(value: Any) -> tuple[Candidate, ...]:
    if not isinstance(value, list) or len(value) > MAX_CANDIDATES:
        raise Invalid(f"'iceCandidates' must be an array of at most {MAX_CANDIDATES}")
    return tuple(map(_candidate, value))


def _candidate(value: Any) -> Candidate:
    json = read_object(value, "a candidate")
    mid, index = json.get("sdpMid"), json.get("sdpMLineIndex")
    if mid is not None and not isinstance(mid, str):
        raise Invalid("'sdpMid' must be a text or null")
    if index is not None and (type(index) is not int or not 0 <= index < 256):
        raise Invalid("'sdpMLineIndex' must be a small number or null")
    return Candidate(read_text(json.get("candidate"), "'candidate'"), mid, index)


def _device_id(json: dict[str, Any], key: str) -> str:
    value = json.get(key)
    if not is_device_id(value):
        raise Invalid(f"{key!r} must be a device id (letters, digits and hyphens, 63 at most)")
    return str(value)
