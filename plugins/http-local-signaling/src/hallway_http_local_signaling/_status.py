"""Refusals as HTTP statuses, and back: the only place that knows both."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from hallway.model import Refusal, RefusalCode

STATUS: Mapping[RefusalCode, int] = {
    RefusalCode.BAD_REQUEST: 400,
    RefusalCode.UNAUTHENTICATED: 401,
    RefusalCode.FORBIDDEN: 403,
    RefusalCode.REPLAY: 403,
    RefusalCode.WRONG_PROPERTY: 403,
    RefusalCode.NOT_FOUND: 404,
    RefusalCode.WRONG_DEVICE: 404,
    RefusalCode.TOO_SLOW: 408,
    RefusalCode.CHALLENGE: 409,
    RefusalCode.GLARE: 409,
    RefusalCode.OCCUPIED: 409,
    RefusalCode.STALE_ROSTER: 412,
    RefusalCode.TOO_LARGE: 413,
    RefusalCode.UNSUPPORTED_KIND: 415,
    RefusalCode.BAD_DESCRIPTION: 422,
    RefusalCode.RATE_LIMITED: 429,
    RefusalCode.INTERNAL: 500,
    RefusalCode.BUSY: 503,
    RefusalCode.CLOSING: 503,
}
"""What a refusal becomes (RFC 9110 section 15)."""

_NEAREST: Mapping[int, RefusalCode] = {
    400: RefusalCode.BAD_REQUEST,
    401: RefusalCode.UNAUTHENTICATED,
    403: RefusalCode.FORBIDDEN,
    404: RefusalCode.NOT_FOUND,
    405: RefusalCode.NOT_FOUND,
    408: RefusalCode.TOO_SLOW,
    409: RefusalCode.GLARE,
    410: RefusalCode.NOT_FOUND,
    413: RefusalCode.TOO_LARGE,
    415: RefusalCode.UNSUPPORTED_KIND,
    422: RefusalCode.BAD_DESCRIPTION,
    429: RefusalCode.RATE_LIMITED,
    503: RefusalCode.BUSY,
    504: RefusalCode.TOO_SLOW,
}

_CODES = {code.value: code for code in RefusalCode}

_MAX_MESSAGE = 300
"""Characters of a stranger's message that are kept."""


def body_of(refusal: Refusal) -> bytes:
    """``{"error": code, "message": text}``, and ``"body"`` in base64 if there is one."""
    told = {"error": refusal.code.value, "message": refusal.message}
    return json.dumps(told | ({"body": base64.b64encode(refusal.body).decode()} if refusal.body else {})).encode()


def refusal_from(status: int, reason: str, body: bytes) -> Refusal:
    """What a response that is no success says: the peer's own words if it speaks as we do, else the nearest code and the status line."""
    told = _told(body)
    if told is not None:
        return told
    return Refusal(_nearest(status), f"HTTP {status} {reason}".strip()[:_MAX_MESSAGE])


def _nearest(status: int) -> RefusalCode:
    if status in _NEAREST:
        return _NEAREST[status]
    if status < 400:
        return RefusalCode.NOT_FOUND
    return RefusalCode.BAD_REQUEST if status < 500 else RefusalCode.INTERNAL


def _told(body: bytes) -> Refusal | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    code, message = value.get("error"), value.get("message")
    if not isinstance(code, str) or code not in _CODES:
        return None
    return Refusal(_CODES[code], _printable(message) if isinstance(message, str) else "", _octets(value.get("body")))


def _octets(value: object) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_MESSAGE])
