"""A message of the application as bytes: MessagePack, with JSON's values and bytes and nothing else.

What MessagePack cannot hold and JSON can (whole numbers beyond 64 bits, subclasses of the usual types) is JSON text in an extension.
"""

from __future__ import annotations

import gc
import math
import re
from collections.abc import Callable
from typing import Any

import ormsgpack

from hallway.protocol import jsontext, weights
from hallway.protocol.weights import EXTENSIONS

KIND = 0
"""How a store names what is encoded so."""
JSON_EXTENSION = 1
"""The MessagePack extension type of a message that is JSON text."""
OPTIONS = (
    ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
CONTAINERS = bytes((*range(0x80, 0xA0), *range(0xDC, 0xE0)))
"""How an array or a map begins; such bytes may also be part of something else."""
LARGE = 64 * 1024
"""Bytes from which on it is worth the time to find out what a message weighs."""
MAYBE_INFINITE = re.compile(rb"[\xca\xcb][\x7f\xff]")
"""How NaN and every infinity begins, of 32 and of 64 bits; now and then something else looks like it."""
_DOUBLE, _SINGLE = 0xCB, 0xCA
_FAR = frozenset((0x7F, 0xFF))


class BadValue(ValueError):
    """It is no message, or not the bytes of one; the text says what is wrong without quoting it."""


def pack(value: Any) -> bytes:
    """The bytes of a message: a JSON value in which there may be bytes too.

    Raises:
        BadValue: other types, NaN, infinity, half a surrogate pair, or nested deeper than `jsontext.MAX_DEPTH`.

    """
    try:
        data = ormsgpack.packb(value, option=OPTIONS)
    except (TypeError, ValueError):
        data = ormsgpack.packb(ormsgpack.Ext(JSON_EXTENSION, _json(value)))
    if len(data) > jsontext.MAX_DEPTH or _SINGLE in data or _DOUBLE in data:
        _check(data, value, len(data))
    return data


def unpack(data: bytes) -> Any:
    """The message of these bytes.

    Raises:
        BadValue: they are not what `pack` makes, or weigh more than `weights.MAX_WEIGHT`.

    """
    return unpack_weighed(data)[0]


def unpack_weighed(data: bytes) -> tuple[Any, int]:
    """The message of these bytes, and its `weight`.

    Raises:
        BadValue: as for `unpack`.

    """
    if len(data) > LARGE:
        return _unpack_large(data)
    value, headers = _read(data), weights.headers(data)
    if headers > jsontext.MAX_DEPTH or _SINGLE in data or _DOUBLE in data:
        _check(data, value, headers)
    return value, len(data) + weights.VALUE_BYTES * headers


def _unpack_large(data: bytes) -> tuple[Any, int]:
    """What takes long is looked at before, and not disturbed."""
    if (heavy := weights.of_message(data)) > weights.MAX_WEIGHT:
        raise BadValue(f"so many values that they take {heavy} bytes of memory")
    value = _undisturbed(lambda: _read(data))
    _check(data, value, len(data))
    return value, heavy


def weight(data: bytes) -> int:
    """About how many bytes of memory the values of a packed message take: many small ones weigh far more than their bytes."""
    return weights.of_message(data) if len(data) > LARGE else weights.of_headers(data)


def _json(value: Any) -> bytes:
    try:
        return jsontext.dumps(value).encode()
    except jsontext.BadJson as error:
        raise BadValue(str(error)) from error


def _read_extension(kind: int, data: bytes) -> Any:
    if kind != JSON_EXTENSION:
        raise ValueError(f"unknown extension {kind}")
    return jsontext.loads(bytes(data))


def _check(data: bytes, value: Any, containers: int) -> None:
    """Look closely at what the bytes cannot clear of suspicion: that costs more than all the rest.

    There are at most so many ``containers``.
    """
    if (_SINGLE in data or _DOUBLE in data) and _may_be_infinite(data):
        _check_finite(value)
    if containers > jsontext.MAX_DEPTH and len(data) - len(data.translate(None, CONTAINERS)) > jsontext.MAX_DEPTH:
        try:
            jsontext.check_depth(value)
        except jsontext.BadJson as error:
            raise BadValue(str(error)) from error


def _may_be_infinite(data: bytes) -> bool:
    """Look at the first number by hand: to search for a pattern takes longer, and most messages have few numbers."""
    at = data.find(_DOUBLE)
    if at >= 0 and data.find(_DOUBLE, at + 1) < 0 and _SINGLE not in data:
        return at + 1 < len(data) and data[at + 1] in _FAR
    return MAYBE_INFINITE.search(data) is not None


def _check_finite(value: Any) -> None:
    for level in jsontext.levels(value):
        if not all(map(math.isfinite, level.of(float))):
            raise BadValue("not a JSON value: Out of range float values are not JSON compliant")


def _read(data: bytes) -> Any:
    try:
        return ormsgpack.unpackb(data, ext_hook=_read_extension) if data and data[0] in EXTENSIONS else ormsgpack.unpackb(data)
    except jsontext.BadJson as error:
        raise BadValue(str(error)) from error
    except ValueError as error:
        raise BadValue(f"not MessagePack: {error}") from error


def _undisturbed(make: Callable[[], Any]) -> Any:
    """Make many values while nobody looks for garbage among them: that takes longer than all the rest."""
    if not gc.isenabled():
        return make()
    gc.disable()
    try:
        return make()
    finally:
        gc.enable()
