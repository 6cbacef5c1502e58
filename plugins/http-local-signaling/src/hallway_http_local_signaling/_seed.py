"""What the callbacks of `LocalSignalingServer` get: the seed's messages, as `hallway.trust.seed_json` reads them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from hallway.model import Refusal
from hallway.trust import seed_json


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


def read_session(body: bytes, kind: Literal["offer", "answer"], device_id: str, property_id: str) -> SeedSession | Refusal:
    """Read the body of ``POST /offer`` or ``POST /answer`` that was sent to the device ``device_id``."""
    message = seed_json.read(kind, body, device_id, property_id)
    if isinstance(message, Refusal):
        return message
    return SeedSession(message.sender, message.to, message.json["sdp"], tuple(message.json.get("iceCandidates", ())), message.json)


def read_candidate(body: bytes, device_id: str, property_id: str) -> SeedCandidate | Refusal:
    """Read the body of ``POST /ice-candidate`` that was sent to the device ``device_id``."""
    message = seed_json.read("candidate", body, device_id, property_id)
    if isinstance(message, Refusal):
        return message
    return SeedCandidate(message.sender, message.to, message.json["candidate"], message.json)
