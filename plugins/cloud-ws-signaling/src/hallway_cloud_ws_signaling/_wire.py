"""The messages of the wire: JSON texts, checked once at either end. No I/O."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from hallway.model import Envelope, Refusal, RefusalCode, is_device_id, is_name
from hallway.protocol import jsontext
from hallway_cloud_ws_signaling._limits import MAX_BODY, MAX_MESSAGE, MAX_ROOM
from hallway_cloud_ws_signaling._messages import (
    Cancel,
    Ended,
    Ending,
    Failed,
    FromServer,
    Join,
    Joined,
    Member,
    PeerJoined,
    PeerLeft,
    Relay,
    Request,
    Response,
    Unreadable,
    WireError,
)

VERSION = 1

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_EPOCH = re.compile(r"[A-Za-z0-9_-]{0,64}")
_KIND = re.compile(r"[a-z][a-z-]{0,31}")
_CONTENT_TYPE = re.compile(r"[\x20-\x7e]{1,128}")
_CODES = {code.value: code for code in RefusalCode}

_RELAYED = ("request", "response", "refusal", "cancel")

_MAX_TEXT = 300
"""Characters of a stranger's sentence that are kept."""


# What a device sends.


def join(room: str, member: Member) -> str:
    """Ask for a place in ``room``."""
    return jsontext.dumps({"type": "join", "version": VERSION, "room": room, **_member_out(member)})


def request(request_id: str, to: str, envelope: Envelope) -> str:
    """Ask a peer."""
    return jsontext.dumps({"type": "request", "id": request_id, "to": to, **_envelope_out(envelope)})


def response(request_id: str, to: str, outcome: Envelope | Refusal) -> str:
    """Answer a peer's request."""
    if isinstance(outcome, Refusal):
        fields = {"type": "refusal", "code": outcome.code.value, "message": outcome.message[:_MAX_TEXT]}
        fields |= _body_out(outcome.body) if outcome.body else {}
    else:
        fields = {"type": "response", **_envelope_out(outcome)}
    return jsontext.dumps({**fields, "id": request_id, "to": to})


def cancel(request_id: str, to: str) -> str:
    """Take a request back."""
    return jsontext.dumps({"type": "cancel", "id": request_id, "to": to})


# What the server sends.


def joined(peers: tuple[Member, ...], rate: float, burst: float) -> str:
    """Welcome a device."""
    limits = {"rate": rate, "burst": burst}
    return jsontext.dumps({"type": "joined", "version": VERSION, "peers": [_member_out(peer) for peer in peers], "limits": limits})


def peer_joined(member: Member) -> str:
    """Tell a room of a new device."""
    return jsontext.dumps({"type": "peer-joined", **_member_out(member)})


def peer_left(device_id: str) -> str:
    """Tell a room that a device has gone."""
    return jsontext.dumps({"type": "peer-left", "deviceId": device_id})


def relayed(relay: Relay, sender: str) -> str:
    """What the addressed device gets."""
    return jsontext.dumps({**relay.fields, "from": sender})


def failed(request_id: str, message: str) -> str:
    """Tell a device that its request cannot be carried."""
    return jsontext.dumps({"type": "error", "id": request_id, "code": "unreachable", "message": message})


def ended(ending: Ending, message: str) -> str:
    """Tell a device why its connection ends."""
    return jsontext.dumps({"type": "error", "code": ending.code, "message": message})


def _member_out(member: Member) -> dict[str, str]:
    return {"deviceId": member.device_id, "deviceType": member.device_type, "epoch": member.epoch}


def _envelope_out(envelope: Envelope) -> dict[str, str]:
    return {"kind": envelope.kind, "contentType": envelope.content_type, **_body_out(envelope.body)}


def _body_out(body: bytes) -> dict[str, str]:
    """Text as it is; bytes, and text that would grow by it, in base64."""
    encoded = base64.b64encode(body).decode()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"base64": encoded}
    return {"body": text} if len(jsontext.dumps(text).encode()) <= len(encoded) else {"base64": encoded}


# What the server reads.


def read_join(text: str | bytes) -> Join:
    """The first message of a device.

    Raises:
        WireError: it is not ``join``, or not of our version.

    """
    fields = _fields(text)
    if fields.get("type") != "join":
        raise WireError("the first message must be join")
    if fields.get("version") != VERSION:
        raise WireError(f"this server speaks version {VERSION}", Ending.UNSUPPORTED_VERSION)
    member = _member(fields)
    _check_sender(fields, member.device_id)
    return Join(_checked(fields, "room", is_name), member)


def read_relay(text: str | bytes, sender: str) -> Relay:
    """A later message of the device ``sender``. What it carries is not read.

    Raises:
        WireError: it has no type, id or addressee that we know, or another sender.

    """
    fields = _fields(text)
    if fields.get("type") not in _RELAYED:
        raise WireError("type must be request, response, refusal or cancel")
    _check_sender(fields, sender)
    _checked(fields, "id", _matches(_REQUEST_ID))
    to = _checked(fields, "to", is_device_id)
    return Relay(to, {key: value for key, value in fields.items() if key not in {"to", "from"}})


def _check_sender(fields: Mapping[str, Any], sender: str) -> None:
    named = fields.get("from", sender)
    if not isinstance(named, str) or named.lower() != sender.lower():
        raise WireError("a device can only speak for itself", Ending.FOREIGN_SENDER)


# What a device reads.


def read_from_server(text: str | bytes) -> FromServer | None:
    """What the server says; None for what a later version may add.

    Raises:
        WireError: it is not a message of this wire.

    """
    fields = _fields(text)
    reader = _READERS.get(str(fields.get("type")))
    return reader(fields) if reader is not None else None


def _joined(fields: Mapping[str, Any]) -> Joined:
    peers = fields.get("peers")
    if fields.get("version") != VERSION or not isinstance(peers, list) or not all(isinstance(peer, dict) for peer in peers):
        raise WireError(f"joined must have version {VERSION} and a list of peers")
    limits = fields.get("limits")
    known = limits if isinstance(limits, dict) else {}
    return Joined(tuple(_member(peer) for peer in peers[:MAX_ROOM]), _limit(known, "rate"), _limit(known, "burst"))


def _limit(limits: Mapping[str, Any], key: str) -> float:
    """A limit of the server, at least 1; without one there is none."""
    value = limits.get(key)
    return max(1.0, float(value)) if isinstance(value, int | float) and abs(value) < 2**53 else float("inf")


def _error(fields: Mapping[str, Any]) -> Failed | Ended:
    message = printable(fields.get("message"))
    if "id" in fields:
        return Failed(_checked(fields, "id", _matches(_REQUEST_ID)), message)
    return Ended(printable(fields.get("code")), message)


def _peer_and_id(fields: Mapping[str, Any]) -> tuple[str, str]:
    return _checked(fields, "from", is_device_id), _checked(fields, "id", _matches(_REQUEST_ID))


def _refusal(fields: Mapping[str, Any]) -> Response:
    code = _CODES.get(str(fields.get("code")), RefusalCode.INTERNAL)
    try:
        body = _body(fields) if {"body", "base64"} & fields.keys() else b""
    except WireError as error:
        return Response(*_peer_and_id(fields), Unreadable(str(error)))
    return Response(*_peer_and_id(fields), Refusal(code, printable(fields.get("message")), body))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], FromServer]] = {
    "joined": _joined,
    "peer-joined": lambda fields: PeerJoined(_member(fields)),
    "peer-left": lambda fields: PeerLeft(_checked(fields, "deviceId", is_device_id)),
    "request": lambda fields: Request(*_peer_and_id(fields), _envelope(fields)),
    "response": lambda fields: Response(*_peer_and_id(fields), _envelope(fields)),
    "refusal": _refusal,
    "cancel": lambda fields: Cancel(*_peer_and_id(fields)),
    "error": _error,
}


def _envelope(fields: Mapping[str, Any]) -> Envelope | Unreadable:
    try:
        kind = _checked(fields, "kind", _matches(_KIND))
        content_type = _checked(fields, "contentType", _matches(_CONTENT_TYPE))
        body = _body(fields)
    except WireError as error:
        return Unreadable(str(error))
    return Envelope(kind, content_type, body)


def _body(fields: Mapping[str, Any]) -> bytes:
    text, encoded = fields.get("body"), fields.get("base64")
    try:
        if isinstance(text, str) and encoded is None:
            body = text.encode()
        elif isinstance(encoded, str) and text is None:
            body = base64.b64decode(encoded, validate=True)
        else:
            raise WireError("it must have a text in either body or base64")
    except (binascii.Error, ValueError) as error:
        raise WireError("its body is not what it claims to be") from error
    if len(body) > MAX_BODY:
        raise WireError(f"its body exceeds {MAX_BODY} bytes")
    return body


# What both read.


def _fields(text: str | bytes) -> dict[str, Any]:
    if not isinstance(text, str):
        raise WireError("messages are text")
    check_size(text)
    try:
        value = jsontext.loads(text)
    except jsontext.BadJson as error:
        raise WireError(str(error)) from error
    if not isinstance(value, dict):
        raise WireError("a message must be a JSON object")
    return value


def check_size(text: str) -> None:
    """Raise `WireError` if ``text`` is more than one message may hold."""
    if len(text.encode(errors="surrogatepass")) > MAX_MESSAGE:
        raise WireError(f"a message must not exceed {MAX_MESSAGE} bytes", Ending.TOO_LARGE)


def _member(fields: Mapping[str, Any]) -> Member:
    device_id = _checked(fields, "deviceId", is_device_id)
    device_type = _checked(fields, "deviceType", is_name)
    return Member(device_id, device_type, _checked(fields, "epoch", _matches(_EPOCH)))


def _checked(fields: Mapping[str, Any], key: str, check: Callable[[object], bool]) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not check(value):
        raise WireError(f"{key} is missing or not as it must be")
    return value


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def printable(value: object) -> str:
    """A stranger's text, fit for logs."""
    text = value[:_MAX_TEXT] if isinstance(value, str) else ""
    return "".join(letter if letter.isprintable() else " " for letter in text)
