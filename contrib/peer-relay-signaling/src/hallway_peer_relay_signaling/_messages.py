"""What devices say to each other over the control bus: JSON values in, checked values out, and back. No I/O.

::

    peer-relay.news      {"version": 1, "session", "deviceType", "epoch", "peers": [{"deviceId", "deviceType", "epoch"}, …]}  →  null
    peer-relay.relay     {"to", "patience", "envelope": E}       →  {"answer": A} or {"failure": {"by", "reason", "message"}}
    peer-relay.deliver   {"from", "patience", "envelope": E}     →  A

``E`` is ``{"kind", "contentType", "base64"}``, ``A`` is ``{"envelope": E}`` or ``{"refusal": {"code", "message"}}``, where
``base64`` may be too. Unknown keys are ignored.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, Self

import attrs

from hallway.model import Envelope, Refusal, RefusalCode, is_device_id, is_name
from hallway.protocol import jsontext
from hallway_peer_relay_signaling._limits import MAX_BODY, MAX_NEWS, MAX_NEWS_BYTES, MAX_RESPONSE

NEWS = "peer-relay.news"
RELAY = "peer-relay.relay"
DELIVER = "peer-relay.deliver"

VERSION = 1
MAX_TEXT = 300
"""Characters of a stranger's sentence that are kept."""

_KIND = re.compile(r"[a-z][a-z-]{0,31}")
_CONTENT_TYPE = re.compile(r"[\x20-\x7e]{1,128}")
_WORD = re.compile(r"[a-z][a-z-]{0,31}")
_CODES = {code.value: code for code in RefusalCode}


class Malformed(ValueError):
    """The JSON is not of the right shape; the message is a clause that says what is wrong."""


@attrs.frozen
class Member:
    """A device. ``epoch`` changes when it restarts; None: not known."""

    device_id: str
    device_type: str = "device"
    epoch: str | None = None


@attrs.frozen
class News:
    """What a device says of itself, and whom it can relay to. ``session`` is new whenever it has forgotten what the receiver told it."""

    session: str
    device_type: str
    epoch: str | None
    peers: tuple[Member, ...]


@attrs.frozen
class Parcel:
    """An envelope as it travels: a relay hands it on and looks at no more than its size."""

    kind: str
    content_type: str
    base64: str = attrs.field(repr=False)

    @classmethod
    def of(cls, envelope: Envelope) -> Self:
        """Pack an envelope."""
        return cls(envelope.kind, envelope.content_type, base64.b64encode(envelope.body).decode())

    def unpack(self) -> Envelope:
        """The envelope.

        Raises:
            Malformed: its body is no base64.

        """
        return Envelope(self.kind, self.content_type, _octets(self.base64))


@attrs.frozen
class RelayRequest:
    """A device asks us to carry ``parcel`` to ``to``, and will wait ``patience`` seconds."""

    to: str
    patience: float
    parcel: Parcel


@attrs.frozen
class Delivery:
    """A relay brings us ``parcel`` from ``sender``, as the relay knows it, and will wait ``patience`` seconds."""

    sender: str
    patience: float
    parcel: Parcel


@attrs.frozen
class Failure:
    """A relay could not bring an answer. ``by`` is ``relay`` or ``target``; ``reason`` a word for programs, ``message`` for people."""

    by: str
    reason: str
    message: str


Answer = Parcel | Refusal


# Out.


def write_news(news: News) -> dict[str, Any]:
    """Tell a peer of this device and of as many others as fit."""
    listed: list[dict[str, Any]] = []
    size = 0
    for peer in news.peers:
        entry = {"deviceId": peer.device_id, "deviceType": peer.device_type, "epoch": peer.epoch}
        size += len(jsontext.dumps(entry).encode()) + 1
        if len(listed) == MAX_NEWS or size > MAX_NEWS_BYTES:
            break
        listed.append(entry)
    return {"version": VERSION, "session": news.session, "deviceType": news.device_type, "epoch": news.epoch, "peers": listed}


def write_relay_request(request: RelayRequest) -> dict[str, Any]:
    """Ask a relay."""
    return {"to": request.to, "patience": request.patience, "envelope": _parcel_out(request.parcel)}


def write_delivery(delivery: Delivery) -> dict[str, Any]:
    """Bring a request to its target."""
    return {"from": delivery.sender, "patience": delivery.patience, "envelope": _parcel_out(delivery.parcel)}


def write_answer(answer: Answer) -> dict[str, Any]:
    """Answer a delivery."""
    if isinstance(answer, Refusal):
        told = {"code": answer.code.value, "message": answer.message[:MAX_TEXT]}
        return {"refusal": told | ({"base64": base64.b64encode(answer.body).decode()} if answer.body else {})}
    return {"envelope": _parcel_out(answer)}


def write_outcome(outcome: Answer | Failure) -> dict[str, Any]:
    """Answer a relay request."""
    if isinstance(outcome, Failure):
        return {"failure": {"by": outcome.by, "reason": outcome.reason, "message": outcome.message[:MAX_TEXT]}}
    return {"answer": write_answer(outcome)}


def _parcel_out(parcel: Parcel) -> dict[str, str]:
    return {"kind": parcel.kind, "contentType": parcel.content_type, "base64": parcel.base64}


# In. Each raises `Malformed` if the value is not what it should be.


def read_news(value: Any) -> News:
    """What a peer tells."""
    fields = _object(value, "the news")
    if fields.get("version") != VERSION:
        raise Malformed(f"version must be {VERSION}")
    peers = fields.get("peers")
    if not isinstance(peers, list) or len(peers) > MAX_NEWS:
        raise Malformed(f"peers must be an array of at most {MAX_NEWS}")
    session, device_type = _text(fields, "session", is_name), _text(fields, "deviceType", is_name)
    return News(session, device_type, _epoch(fields), tuple(_member(peer) for peer in peers))


def read_relay_request(value: Any) -> RelayRequest:
    """What a peer wants carried."""
    fields = _object(value, "the request")
    return RelayRequest(_text(fields, "to", is_device_id), _patience(fields), _parcel(fields.get("envelope"), MAX_BODY))


def read_delivery(value: Any) -> Delivery:
    """What a relay brings."""
    fields = _object(value, "the delivery")
    return Delivery(_text(fields, "from", is_device_id), _patience(fields), _parcel(fields.get("envelope"), MAX_BODY))


def read_answer(value: Any) -> Answer:
    """What the target of a delivery says."""
    fields = _object(value, "the answer")
    if ("envelope" in fields) is ("refusal" in fields):
        raise Malformed("the answer must have either an envelope or a refusal")
    if "envelope" in fields:
        return _parcel(fields["envelope"], MAX_RESPONSE)
    refusal = _object(fields["refusal"], "the refusal")
    body = _octets(_encoded(refusal, MAX_RESPONSE)) if "base64" in refusal else b""
    return Refusal(_CODES.get(str(refusal.get("code")), RefusalCode.INTERNAL), printable(refusal.get("message")), body)


def read_outcome(value: Any) -> Answer | Failure:
    """What a relay says."""
    fields = _object(value, "the outcome")
    if "failure" not in fields:
        return read_answer(fields.get("answer"))
    failure = _object(fields["failure"], "the failure")
    by = "target" if failure.get("by") == "target" else "relay"
    return Failure(by, _text(failure, "reason", _matches(_WORD)), printable(failure.get("message")))


def printable(value: object) -> str:
    """A stranger's text, fit for logs."""
    text = value[:MAX_TEXT] if isinstance(value, str) else ""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _member(value: Any) -> Member:
    fields = _object(value, "a peer")
    return Member(_text(fields, "deviceId", is_device_id), _text(fields, "deviceType", is_name), _epoch(fields))


def _epoch(fields: dict[str, Any]) -> str | None:
    return None if fields.get("epoch") is None else _text(fields, "epoch", lambda value: value == "" or is_name(value))


def _patience(fields: dict[str, Any]) -> float:
    value = fields.get("patience")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**31:
        raise Malformed("patience must be a number of seconds above 0")
    return float(value)


def _parcel(value: Any, limit: int) -> Parcel:
    fields = _object(value, "the envelope")
    kind, content_type = _text(fields, "kind", _matches(_KIND)), _text(fields, "contentType", _matches(_CONTENT_TYPE))
    return Parcel(kind, content_type, _encoded(fields, limit))


def _encoded(fields: dict[str, Any], limit: int) -> str:
    encoded = _text(fields, "base64", lambda _: True)
    if len(encoded) > (limit + 2) // 3 * 4:
        raise Malformed(f"the body exceeds {limit} bytes")
    return encoded


def _octets(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("the body is no base64") from error


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{name} must be an object")
    return value


def _text(fields: dict[str, Any], key: str, check: Callable[[object], bool]) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not check(value):
        raise Malformed(f"{key} is missing or not as it must be")
    return value


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None
