"""Envelopes, refusals and records as bytes, for signaling plugins whose transport has no form of its own for them."""

from __future__ import annotations

from typing import Any

from cattrs.preconf.json import make_converter

from hallway.errors import BadEnvelope
from hallway.model import Envelope, PeerRecord, Refusal

MAX_BYTES = 90 * 1024
"""Bytes that are read, at most: the largest response (64 KiB) in base 85, and its head."""

MAX_BODY = 64 * 1024
"""Bytes of a body, at most."""

_CONVERTER = make_converter()


def dumps(value: Envelope | Refusal | PeerRecord) -> bytes:
    """A JSON object of the value's fields; bodies are in base 85."""
    text: str = _CONVERTER.dumps(value)
    return text.encode()


def loads(data: bytes, kind: Any = Envelope | Refusal) -> Any:
    """The value of that ``kind`` (a class, or a union of classes of `hallway.model`) that ``data`` holds.

    Raises:
        BadEnvelope: it holds none, or more than 64 KiB.

    """
    if len(data) > MAX_BYTES:
        raise BadEnvelope(f"{len(data)} bytes are more than {MAX_BYTES}")
    try:
        value = _CONVERTER.loads(data, kind)
    except (ValueError, TypeError, RecursionError, ExceptionGroup) as error:
        raise BadEnvelope("this is not what was expected here") from error
    if isinstance(value, Envelope) and len(value.body) > MAX_BODY:
        raise BadEnvelope(f"a body of {len(value.body)} bytes is more than {MAX_BODY}")
    return value
