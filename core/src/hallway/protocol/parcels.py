"""Durable messages and what is said about them: frames between two delivery layers, and their bytes.

A parcel is one message of a stream, with its sequence number. A stream is what one device sends to one other under one name; its
incarnation is a random number that changes when the sender's store is a new one, so that numbers are never mistaken for others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import attrs
import ormsgpack

PARCELS = 0x11
ACK = 0x12
GAP = 0x13
NAK = 0x14
MAX_PARCELS = 1024
"""Parcels in one frame, at most."""
MAX_RANGES = 8
"""Ranges of selectively acknowledged numbers in one ACK, at most."""
MAX_STREAM = 64
"""Characters in the name of a stream, at most."""
MAX_REASON = 256
LIMIT = 2**63
"""Sequence numbers are below it: SQLite's whole numbers have a sign."""
MAX_INCARNATION = 2**64 - 1
ID_BYTES = 16
_BYTES, _ID_SIZES = {bytes}, {ID_BYTES}
PARCEL_OVERHEAD = 40
"""Bytes that a frame adds to one parcel, at most; the frame's own head has `HEAD_OVERHEAD` more."""
HEAD_OVERHEAD = 320


class Parcel(NamedTuple):
    """One durable message. ``ttl_ms``: how long it is still worth something; None: for ever."""

    seq: int
    id: bytes
    ttl_ms: int | None
    body: bytes


def size_of(parcels: Sequence[Parcel]) -> int:
    """Bytes of frames that these take, at most."""
    return PARCEL_OVERHEAD * len(parcels) + sum([len(parcel.body) for parcel in parcels])


class Credit(NamedTuple):
    """What a sender may have on the way that is not acknowledged: messages, and bytes of them."""

    messages: int
    bytes: int

    def without(self, messages: int, size: int) -> Credit:
        """What is left of it when so much is taken. Without bytes there is none: a message that comes alone may have any size."""
        return Credit(max(0, self.messages - messages), self.bytes - size) if size < self.bytes else Credit(0, 0)


@attrs.frozen
class Parcels:
    """Messages whose numbers follow each other, one at least."""

    stream: str
    incarnation: int
    parcels: tuple[Parcel, ...]


@attrs.frozen
class Ack:
    """Everything up to ``upto`` is in the receiver's inbox for good, and the ranges (first, last) beyond; this much more may come."""

    stream: str
    incarnation: int
    upto: int
    credit: Credit
    ranges: tuple[tuple[int, int], ...] = ()


@attrs.frozen
class Gap:
    """The numbers from ``first`` to ``last`` will never come: they have expired or were taken back."""

    stream: str
    incarnation: int
    first: int
    last: int


@attrs.frozen
class Nak:
    """The receiver cannot use the message of that number, and never will; ``reason`` is a clause."""

    stream: str
    incarnation: int
    seq: int
    reason: str


DeliveryFrame = Parcels | Ack | Gap | Nak


def encode(frame: DeliveryFrame) -> bytes:
    """The bytes of ``frame``."""
    match frame:
        case Parcels(stream, incarnation, parcels):
            return _bytes(PARCELS, stream, incarnation, parcels[0].seq, [parcel[1:] for parcel in parcels])
        case Ack(stream, incarnation, upto, credit, ranges):
            return _bytes(ACK, stream, incarnation, upto, tuple(credit), ranges)
        case Gap(stream, incarnation, first, last):
            return _bytes(GAP, stream, incarnation, first, last)
        case Nak(stream, incarnation, seq, reason):
            return _bytes(NAK, stream, incarnation, seq, reason)


def decode(data: bytes) -> DeliveryFrame:
    """Read a frame, whose type is one of these.

    Raises:
        ValueError: it is malformed.

    """
    content = ormsgpack.unpackb(data[1:])
    if not isinstance(content, list) or len(content) < 3:
        raise ValueError("expected stream, incarnation and more")
    stream, incarnation, *rest = content
    if type(incarnation) is not int or not 0 <= incarnation <= MAX_INCARNATION:
        raise ValueError("an incarnation has 64 bits")
    return _READERS[data[0]](_text(stream, MAX_STREAM), incarnation, *rest)


def _bytes(kind: int, *content: Any) -> bytes:
    return bytes((kind,)) + ormsgpack.packb(content)


def _number(value: Any, least: int = 0) -> int:
    if type(value) is not int or not least <= value < LIMIT:
        raise ValueError("expected a number of 0 to 2**63-1")
    return value


def _text(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"expected a text of at most {most} characters")
    return value


def _read_parcels(stream: str, incarnation: int, first: Any, items: Any) -> Parcels:
    if not isinstance(items, list) or not 0 < len(items) <= MAX_PARCELS:
        raise ValueError(f"expected 1 to {MAX_PARCELS} parcels")
    _number(_number(first, 1) + len(items))
    ids, ttls, bodies = zip(*items, strict=True)
    if {*map(type, ids), *map(type, bodies)} != _BYTES or {*map(len, ids)} != _ID_SIZES:
        raise ValueError("a parcel has an id of 16 bytes, and a body")
    for ttl_ms in ttls:
        if ttl_ms is not None:
            _number(ttl_ms)
    return Parcels(stream, incarnation, tuple(map(Parcel, range(first, first + len(items)), ids, ttls, bodies)))


def _read_ack(stream: str, incarnation: int, upto: Any, credit: Any, ranges: Any) -> Ack:
    messages, size = credit
    if not isinstance(ranges, list) or len(ranges) > MAX_RANGES:
        raise ValueError(f"expected at most {MAX_RANGES} ranges")
    pairs = tuple((_number(first, 1), _number(last, 1)) for first, last in ranges)
    bounds = [_number(upto), *(number for pair in pairs for number in pair)]
    if any(first > last for first, last in pairs) or bounds != sorted(bounds):
        raise ValueError("ranges go upwards and lie beyond the number before them")
    return Ack(stream, incarnation, upto, Credit(_number(messages), _number(size)), pairs)


def _read_gap(stream: str, incarnation: int, first: Any, last: Any) -> Gap:
    return Gap(stream, incarnation, _number(first, 1), _number(last, first))


def _read_nak(stream: str, incarnation: int, seq: Any, reason: Any) -> Nak:
    return Nak(stream, incarnation, _number(seq, 1), _text(reason, MAX_REASON))


_READERS: dict[int, Callable[..., DeliveryFrame]] = {PARCELS: _read_parcels, ACK: _read_ack, GAP: _read_gap, NAK: _read_nak}
