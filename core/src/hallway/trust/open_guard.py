"""The open mode: the seed's JSON, readable by and for any implementation of it. It proves nothing about anybody."""

from __future__ import annotations

from typing import Any

import attrs

from hallway.model import MAX_NAME, Binding, Candidate, Description, DeviceInfo, Envelope, Origin, Refusal, RefusalCode
from hallway.protocol import jsontext
from hallway.trust import seed_json
from hallway.trust.guard import Guard, Mark, Signal

WIRE_VERSION = 1
WEBRTC = "webrtc"
"""The kind of a description that names none, as the seed's do."""
CONTENT_TYPE = "application/json"


@attrs.frozen
class OpenGuard(Guard):
    """Reads and writes ``{"from","to","sdp":{"type","sdp"},"iceCandidates":[…]}`` and ``{"from","to","candidate":{…}}``.

    Our own carry two keys more, which others ignore: ``propertyId``, and ``hallway`` with the wire version, the epoch and the kind.
    """

    device: DeviceInfo
    caution = "security is open: whoever reaches this network can join the property under any name, read and write"

    def seal(self, to: str, content: Description | Candidate, now: float, *, reference: str = "") -> Envelope:
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
        message = seed_json.read(envelope.kind, envelope.body, self.device.device_id, self.device.property_id)
        if isinstance(message, Refusal):
            return message
        if envelope.kind == "candidate":
            return Signal(message.sender, message.to, candidate=message.candidates[0])
        try:
            mark, channel_kind = _read_mark(message.json.get("hallway"))
        except seed_json.Invalid as error:
            return Refusal(RefusalCode.BAD_REQUEST, str(error))
        description = Description(channel_kind, message.json["sdp"]["type"], message.sdp, message.candidates)
        return Signal(message.sender, message.to, description=description, mark=mark)

    def hello(self, to: str, binding: Binding | None, now: float) -> dict[str, Any]:
        """See `Guard.hello`: nothing, since nothing can be proved."""
        return {}

    def admit(self, sender: str, section: Any, binding: Binding | None, now: float) -> str | None:
        """See `Guard.admit`: everybody who signaled is let in."""
        return None


@attrs.frozen
class ForcedOpenGuard(OpenGuard):
    """The same for a device that is enrolled, and was told to be open all the same."""

    caution = f"{OpenGuard.caution}; this device is enrolled, and its peers do not see it: remove trust.force_open to be one of them again"

    def status(self) -> dict[str, Any]:
        """See `Guard.status`: that it is forced."""
        return {"forcedOpen": True}


def _envelope(kind: str, body: dict[str, Any]) -> Envelope:
    return Envelope(kind, CONTENT_TYPE, jsontext.dumps(body).encode())


def _read_mark(value: Any) -> tuple[Mark | None, str]:
    if value is None:
        return None, WEBRTC
    body = seed_json.read_object(value, "'hallway'")
    version = body.get("version")
    if type(version) is not int or version < 1:
        raise seed_json.Invalid("'hallway.version' must be a number from 1")
    epoch, kind = seed_json.read_text(body.get("epoch"), "'hallway.epoch'"), seed_json.read_text(body.get("kind", WEBRTC), "'hallway.kind'")
    if max(len(epoch), len(kind)) > MAX_NAME:
        raise seed_json.Invalid(f"'hallway.epoch' and 'hallway.kind' have at most {MAX_NAME} characters")
    return Mark(version, epoch), kind


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {"candidate": candidate.candidate, "sdpMid": candidate.sdp_mid, "sdpMLineIndex": candidate.sdp_mline_index}
