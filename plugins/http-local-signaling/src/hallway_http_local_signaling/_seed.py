"""The seed's JSON, read with suspicion: bytes in, values or a refusal out. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, cast

import attrs

from hallway.model import Refusal, RefusalCode, is_device_id, same_device

MAX_CANDIDATES = 64
"""Candidates in one message, at most."""


@attrs.frozen
class SeedSession:
    """An offer or an answer as the seed sends it.

    ``message["from"]``, ``message["sdp"]`` and so on read the JSON itself, with the keys that are not named here.
    """

    sender: str
    """The device that sent it: ``from`` in the JSON."""
    to: str
    sdp: Mapping[str, str]
    """``{"type": "offer" or "answer", "sdp": text}`` (RTCSessionDescriptionInit, W3C WebRTC section 4.6.2)."""
    ice_candidates: tuple[Mapping[str, Any], ...]
    """``iceCandidates`` in the JSON, each an RTCIceCandidateInit."""
    json: Mapping[str, Any] = attrs.field(repr=False)

    def __getitem__(self, key: str) -> Any:
        return self.json[key]


@attrs.frozen
class SeedCandidate:
    """A trickled candidate as the seed sends it. Items read the JSON, as for `SeedSession`."""

    sender: str
    to: str
    candidate: Mapping[str, Any]
    """An RTCIceCandidateInit (W3C WebRTC section 4.8.1.1)."""
    json: Mapping[str, Any] = attrs.field(repr=False)

    def __getitem__(self, key: str) -> Any:
        return self.json[key]


class _Wrong(Exception):
    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(code, message)


def read_session(body: bytes, kind: Literal["offer", "answer"], device_id: str, property_id: str) -> SeedSession | Refusal:
    """Read the body of ``POST /offer`` or ``POST /answer`` that was sent to the device ``device_id``."""
    try:
        message = _read_message(body, device_id, property_id)
        candidates = message.get("iceCandidates", [])
        if not isinstance(candidates, list) or len(candidates) > MAX_CANDIDATES:
            raise _Wrong(RefusalCode.BAD_REQUEST, f"iceCandidates must be a list of at most {MAX_CANDIDATES}")
        sdp = _check_sdp(message.get("sdp"), kind)
        return SeedSession(message["from"], message["to"], sdp, tuple(map(_check_candidate, candidates)), message)
    except _Wrong as wrong:
        return wrong.refusal


def read_candidate(body: bytes, device_id: str, property_id: str) -> SeedCandidate | Refusal:
    """Read the body of ``POST /ice-candidate`` that was sent to the device ``device_id``."""
    try:
        message = _read_message(body, device_id, property_id)
        return SeedCandidate(message["from"], message["to"], _check_candidate(message.get("candidate")), message)
    except _Wrong as wrong:
        return wrong.refusal


def _read_message(body: bytes, device_id: str, property_id: str) -> dict[str, Any]:
    message = _load(body)
    if not isinstance(message, dict):
        raise _Wrong(RefusalCode.BAD_REQUEST, "the body must be a JSON object")
    for key in ("from", "to"):
        if not is_device_id(message.get(key)):
            raise _Wrong(RefusalCode.BAD_REQUEST, f"{key} must be a device id")
    if not same_device(message["to"], device_id):
        raise _Wrong(RefusalCode.WRONG_DEVICE, f"this device is {device_id}")
    if message.get("propertyId", property_id) != property_id:
        raise _Wrong(RefusalCode.WRONG_PROPERTY, "this device belongs to another property")
    return message


def _load(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_no_constant)
    except RecursionError:
        raise _Wrong(RefusalCode.BAD_REQUEST, "the body is nested too deeply") from None
    except ValueError as error:
        raise _Wrong(RefusalCode.BAD_REQUEST, f"the body is not JSON: {error}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_sdp(value: Any, kind: str) -> Mapping[str, str]:
    if not isinstance(value, dict) or value.get("type") != kind or not _is_text(value.get("sdp")):
        raise _Wrong(RefusalCode.BAD_REQUEST, f'sdp must be {{"type": "{kind}", "sdp": text}}')
    return cast("Mapping[str, str]", value)


def _check_candidate(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not _is_text(value.get("candidate")):
        raise _Wrong(RefusalCode.BAD_REQUEST, 'a candidate must be {"candidate": text, ...}')
    return value


def _is_text(value: object) -> bool:
    """Whether it is a string that UTF-8 can say: JSON escapes can spell half of a surrogate pair."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)
