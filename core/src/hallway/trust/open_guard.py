"""The open mode: the seed's JSON, readable by and for any implementation of it. It proves nothing about anybody."""

from __future__ import annotations

from typing import Any

import attrs

from hallway.model import (
    MAX_NAME,
    Binding,
    Candidate,
    Description,
    DeviceInfo,
    Envelope,
    Origin,
    Refusal,
    RefusalCode,
    is_device_id,
    same_device,
)
from hallway.protocol import jsontext
from hallway.trust.guard import Guard, Mark, Signal

WIRE_VERSION = 1
MAX_CANDIDATES = 32
"""Candidates beside one description, at most."""
WEBRTC = "webrtc"
"""The kind of a description that names none, as the seed's do."""
CONTENT_TYPE = "application/json"


class _Invalid(ValueError):
    """The JSON is not of the seed's shape; the message is a sentence for the sender."""


@attrs.frozen
class OpenGuard(Guard):
    """Reads and writes ``{"from","to","sdp":{"type","sdp"},"iceCandidates":[…]}`` and ``{"from","to","candidate":{…}}``.

    Our own carry two keys more, which others ignore: ``propertyId``, and ``hallway`` with the wire version, the epoch and the kind.
    """

    device: DeviceInfo

    def seal(self, to: str, content: Description | Candidate, now: float) -> Envelope:
        """See `Guard.seal`."""
        body: dict[str, Any] = {"from": self.device.device_id, "to": to, "propertyId": self.device.property_id}
        if isinstance(content, Candidate):
            body["candidate"] = _candidate_json(content)
            return _envelope("candidate", body)
        body["sdp"] = {"type": content.type, "sdp": content.sdp}
        body["iceCandidates"] = [_candidate_json(candidate) for candidate in content.candidates]
        body["hallway"] = {"version": WIRE_VERSION, "epoch": self.device.epoch, "kind": content.kind}
        return _envelope(content.type, body)

    def open(self, envelope: Envelope, origin: Origin, now: float) -> Signal | Refusal:
        """See `Guard.open`."""
        try:
            body = _object(jsontext.loads(envelope.body), "the body")
            signal = _read(envelope.kind, body)
        except (jsontext.BadJson, _Invalid) as error:
            return Refusal(RefusalCode.BAD_REQUEST, str(error))
        return self._addressed(signal, body) or signal

    def hello(self, to: str, binding: Binding | None, now: float) -> dict[str, Any]:
        """See `Guard.hello`: nothing, since nothing can be proved."""
        return {}

    def admit(self, sender: str, section: Any, binding: Binding | None, now: float) -> str | None:
        """See `Guard.admit`: everybody who signaled is let in."""
        return None

    def _addressed(self, signal: Signal, body: dict[str, Any]) -> Refusal | None:
        if not same_device(signal.to, self.device.device_id):
            return Refusal(RefusalCode.WRONG_DEVICE, f"this is {self.device.device_id}, not {signal.to}")
        if same_device(signal.sender, self.device.device_id):
            return Refusal(RefusalCode.BAD_REQUEST, "'from' is this device itself")
        if body.get("propertyId", self.device.property_id) != self.device.property_id:
            return Refusal(RefusalCode.WRONG_PROPERTY, "this device belongs to another property")
        return None


def _envelope(kind: str, body: dict[str, Any]) -> Envelope:
    return Envelope(kind, CONTENT_TYPE, jsontext.dumps(body).encode())


def _read(kind: str, body: dict[str, Any]) -> Signal:
    sender, to = _device_id(body, "from"), _device_id(body, "to")
    if kind == "candidate":
        return Signal(sender, to, candidate=_read_candidate(body.get("candidate")))
    mark, channel_kind = _read_mark(body.get("hallway"))
    return Signal(sender, to, description=_read_description(kind, channel_kind, body), mark=mark)


def _read_description(expected: str, kind: str, body: dict[str, Any]) -> Description:
    sdp = _object(body.get("sdp"), "'sdp'")
    if sdp.get("type") != expected or expected not in ("offer", "answer"):
        raise _Invalid(f"'sdp.type' must be {expected!r}")
    candidates = body.get("iceCandidates", [])
    if not isinstance(candidates, list) or len(candidates) > MAX_CANDIDATES:
        raise _Invalid(f"'iceCandidates' must be an array of at most {MAX_CANDIDATES}")
    text = _text(sdp.get("sdp"), "'sdp.sdp'")
    return Description(kind, expected, text, tuple(map(_read_candidate, candidates)))  # type: ignore[arg-type]


def _read_candidate(value: Any) -> Candidate:
    body = _object(value, "a candidate")
    mid, index = body.get("sdpMid"), body.get("sdpMLineIndex")
    if mid is not None and not isinstance(mid, str):
        raise _Invalid("'sdpMid' must be a text or null")
    if index is not None and (type(index) is not int or not 0 <= index < 256):
        raise _Invalid("'sdpMLineIndex' must be a small number or null")
    return Candidate(_text(body.get("candidate"), "'candidate'"), mid, index)


def _read_mark(value: Any) -> tuple[Mark | None, str]:
    if value is None:
        return None, WEBRTC
    body = _object(value, "'hallway'")
    version = body.get("version")
    if type(version) is not int or version < 1:
        raise _Invalid("'hallway.version' must be a number from 1")
    epoch, kind = _text(body.get("epoch"), "'hallway.epoch'"), _text(body.get("kind", WEBRTC), "'hallway.kind'")
    if max(len(epoch), len(kind)) > MAX_NAME:
        raise _Invalid(f"'hallway.epoch' and 'hallway.kind' have at most {MAX_NAME} characters")
    return Mark(version, epoch), kind


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {"candidate": candidate.candidate, "sdpMid": candidate.sdp_mid, "sdpMLineIndex": candidate.sdp_mline_index}


def _device_id(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not is_device_id(value):
        raise _Invalid(f"{key!r} must be a device id (letters, digits and hyphens, 63 at most)")
    return str(value)


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Invalid(f"{name} must be an object")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _Invalid(f"{name} must be a text")
    return value
