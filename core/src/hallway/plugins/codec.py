"""For signaling plugins: envelopes, refusals and records as bytes, requests answered as bytes, and errors of the system as hallway's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cattrs.preconf.json import make_converter

from hallway.errors import BadEnvelope, DeadlineExceeded, HallwayError
from hallway.interfaces import SignalingHost
from hallway.model import Envelope, Origin, PeerRecord, Refusal, RefusalCode

logger = logging.getLogger(__name__)

MAX_BYTES = 90 * 1024
"""Bytes that are read, at most: the largest response (64 KiB) in base 85, and its head."""

MAX_BODY = 64 * 1024
"""Bytes of a body, at most."""

MAX_REQUEST = 32 * 1024
"""Bytes of the body of a request, at most."""

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


async def respond(host: SignalingHost, data: bytes, origin: Origin) -> bytes:
    """The response, as bytes, to the request that ``data`` should hold; one that is too large or cannot be read is refused."""
    try:
        envelope = loads(data, Envelope) if len(data) <= MAX_BYTES // 2 else None
    except BadEnvelope as error:
        return dumps(Refusal(RefusalCode.BAD_REQUEST, str(error)))
    if envelope is None or len(envelope.body) > MAX_REQUEST:
        return dumps(Refusal(RefusalCode.TOO_LARGE, f"the body of a request has at most {MAX_REQUEST} bytes"))
    try:
        return dumps(await host.handle(envelope, origin))
    except Exception:
        logger.exception("a request that came in by %s could not be handled", origin.plugin)
        return dumps(Refusal(RefusalCode.INTERNAL, "this device could not answer"))


@asynccontextmanager
async def mapped(kind: type[HallwayError], what: str, deadline: float | None = None) -> AsyncIterator[None]:
    """Turn every `OSError` and `EOFError` of the block, which is about ``what``, into one of ``kind``.

    The block has until ``deadline`` (absolute, in seconds of the running loop's `time()`; None: as long as it takes).

    Raises:
        DeadlineExceeded: it took longer, or raised a `TimeoutError`.

    """
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        raise DeadlineExceeded(f"{what}: no answer came in time") from error
    except (OSError, EOFError) as error:
        raise kind(f"{what}: {error}") from error
