"""What two hallways say to each other in the channel: frames, and their bytes.

A frame is one binary channel message: a type byte, then UTF-8 JSON (the link's frames, 0x01 to 0x0f) or MessagePack (those of messages,
0x10 to 0x1f, which are in `hallway.protocol.batches`, `parcels` and `chunks`). Unknown types are a violation; unknown keys are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

import attrs

from hallway.errors import BadFrame
from hallway.protocol import batches, chunks, jsontext, packed, parcels, weights
from hallway.protocol.batches import LONE_BODY
from hallway.protocol.chunks import Chunk
from hallway.protocol.parcels import DeliveryFrame

VERSION = 1
"""The frame protocol that this code speaks; HELLO names all that a device speaks."""

MAX_ERROR = 1024
"""Characters in a text of an error response, at most."""

MOVED = "moved"
"""The reason of a `Bye` over the channel that a link has moved from."""


class FrameType(IntEnum):
    """The first byte of every frame."""

    HELLO = 0x01
    PING = 0x02
    PONG = 0x03
    BYE = 0x04
    REQUEST = 0x05
    RESPONSE = 0x06
    PAUSE = 0x07
    RESUME = 0x08
    MESSAGES = batches.MESSAGES
    PARCELS = parcels.PARCELS
    ACK = parcels.ACK
    GAP = parcels.GAP
    NAK = parcels.NAK
    LONE = batches.LONE
    CHUNK = chunks.CHUNK
    SQUEEZED = batches.SQUEEZED


@attrs.frozen
class Hello:
    """The first frame each way: who speaks to whom. ``sections`` are opaque to the link, one per layer."""

    sender: str
    to: str
    epoch: str
    versions: tuple[int, ...] = (VERSION,)
    sections: dict[str, Any] = attrs.field(factory=dict)
    moves: bool = False
    """Whether the sender has a link to the receiver that works, which this channel is to carry on; it does if both say so."""
    chunks: bool = False
    """Whether the sender puts frames together from chunks."""
    lone: bool = False
    """Whether the sender reads lone messages."""


@attrs.frozen
class Ping:
    """Answer me: the peer sends a `Pong` with the same number."""

    number: int


@attrs.frozen
class Pong:
    """The answer to a `Ping`."""

    number: int


@attrs.frozen
class Bye:
    """The last frame: this end closes the channel on purpose; ``reason`` is a word. `MOVED`: the link goes on over another channel."""

    reason: str = "bye"


@attrs.frozen
class Request:
    """A question over the control bus; a `Response` with the same number answers it."""

    number: int
    kind: str
    body: Any


@attrs.frozen
class Response:
    """What the peer's handler returned, or ``error``: its code, its text and its hint."""

    number: int
    body: Any = None
    error: tuple[str, str, str] | None = None


@attrs.frozen
class Pause:
    """Send no more messages: nobody reads them at this end now. Other frames still pass."""


@attrs.frozen
class Resume:
    """There is room for messages again."""


class Message(NamedTuple):
    """One message of the application: its id (the sender's, 32 hexadecimal digits) and its value."""

    id: str
    value: Any


@attrs.frozen
class Messages:
    """One or many messages, in order. ``weight``: about how many bytes of memory they take."""

    items: tuple[Message, ...]
    weight: int = attrs.field(default=0, eq=False)


LinkFrame = Hello | Ping | Pong | Bye | Request | Response | Pause | Resume
Frame = LinkFrame | Messages | DeliveryFrame | Chunk


def encode(frame: LinkFrame) -> bytes:
    """The bytes of ``frame``; those of messages are made by `batches.encode`."""
    body: Any
    match frame:
        case Hello():
            kind, body = FrameType.HELLO, _hello_json(frame)
        case Ping(number):
            kind, body = FrameType.PING, number
        case Pong(number):
            kind, body = FrameType.PONG, number
        case Bye(reason):
            kind, body = FrameType.BYE, reason
        case Request(number, name, content):
            kind, body = FrameType.REQUEST, {"number": number, "kind": name, "body": content}
        case Response(number, content, error):
            kind, body = FrameType.RESPONSE, {"number": number, "body": content, "error": error and list(error)}
        case Pause() | Resume():
            kind, body = FrameType.PAUSE if isinstance(frame, Pause) else FrameType.RESUME, None
    return bytes((kind,)) + jsontext.dumps(body).encode()


def decode(data: str | bytes) -> Frame:
    """Read one channel message.

    Raises:
        BadFrame: it is no frame.

    """
    if isinstance(data, str) or not data:
        raise BadFrame("the peer sent text or nothing where a frame belongs")
    read = _READERS.get(data[0])
    if read is None:
        raise BadFrame(f"the peer sent a frame of the unknown type {data[0]:#04x}")
    try:
        return read(data)
    except (KeyError, TypeError, ValueError) as error:
        raise BadFrame(f"the peer sent a malformed {FrameType(data[0]).name}: {error}") from error


def decode_lone(data: bytes) -> tuple[str, Any, int]:
    """Read a lone message that begins with `batches.LONE_HEAD`: its id, its value and its weight, with no `Messages` around them.

    Raises:
        BadFrame: it is none.

    """
    try:
        value, weight = packed.unpack_weighed(data[LONE_BODY:])
    except ValueError as error:
        raise BadFrame(f"the peer sent a malformed LONE: {error}") from error
    return data[1:LONE_BODY].hex(), value, weight


def decode_large(data: bytes) -> Frame:
    """Read a frame that came in chunks.

    Raises:
        BadFrame: it is none, or of a type that never needs them, or holds so many values that they would fill the memory.

    """
    if data[0] not in _LARGE:
        raise BadFrame(f"the peer sent a frame of the type {data[0]:#04x} in chunks")
    heavy = weights.of_message(data[1:]) if data[0] in _BINARY_READERS else weights.of_json(data)
    if heavy > weights.MAX_WEIGHT:
        raise BadFrame(f"the peer sent a {FrameType(data[0]).name} of so many values that they take {heavy} bytes of memory")
    return decode(data)


def _hello_json(hello: Hello) -> dict[str, Any]:
    return {
        "from": hello.sender,
        "to": hello.to,
        "epoch": hello.epoch,
        "versions": list(hello.versions),
        "sections": hello.sections,
        "moves": hello.moves,
        "chunks": hello.chunks,
        "lone": hello.lone,
    }


def _text(value: Any, most: int = 256) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise TypeError(f"expected a text of at most {most} characters")
    return value


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**64:
        raise TypeError("expected a number of 0 to 2**64-1")
    return value


def _read_hello(body: Any) -> Hello:
    if not isinstance(body["sections"], dict) or not isinstance(body["versions"], list) or len(body["versions"]) > 32:
        raise TypeError("sections must be an object, versions an array")
    versions = tuple(_number(version) for version in body["versions"])
    moves, in_chunks, lone = (body.get(name, False) is True for name in ("moves", "chunks", "lone"))
    return Hello(_text(body["from"]), _text(body["to"]), _text(body["epoch"]), versions, body["sections"], moves, in_chunks, lone)


def _read_request(body: Any) -> Request:
    return Request(_number(body["number"]), _text(body["kind"]), body["body"])


def _read_response(body: Any) -> Response:
    error = body["error"]
    if error is None:
        return Response(_number(body["number"]), body["body"])
    if not isinstance(error, list) or len(error) != 3:
        raise TypeError("an error has a code, a text and a hint")
    code, text, hint = (_text(part, MAX_ERROR) for part in error)
    return Response(_number(body["number"]), error=(code, text, hint))


def _read_messages(data: bytes) -> Messages:
    prefix, first, bodies = batches.read(data)
    heavy = weights.of_headers(data) if len(data) <= packed.LARGE else sum(map(packed.weight, bodies))
    if heavy > weights.MAX_WEIGHT:
        raise ValueError(f"so many values that they take {heavy} bytes of memory")
    ids = batches.message_ids(prefix, first, len(bodies))
    return Messages(tuple(map(Message, ids, map(packed.unpack, bodies))), heavy)


def _read_lone(data: bytes) -> Messages:
    message_id, value, weight = decode_lone(data)
    return Messages((Message(message_id, value),), weight)


def _read_squeezed(data: bytes) -> Frame:
    frame = batches.unsqueeze(data)
    return _BINARY_READERS[frame[0]](frame)


def _json(read: Callable[[Any], Frame]) -> Callable[[bytes], Frame]:
    return lambda data: read(jsontext.loads(data[1:]))


_LARGE = frozenset((FrameType.MESSAGES, FrameType.PARCELS, FrameType.REQUEST, FrameType.RESPONSE))
_BINARY_READERS: dict[int, Callable[[bytes], Frame]] = {
    FrameType.MESSAGES: _read_messages,
    FrameType.LONE: _read_lone,
    FrameType.PARCELS: parcels.decode,
    FrameType.ACK: parcels.decode,
    FrameType.GAP: parcels.decode,
    FrameType.NAK: parcels.decode,
    FrameType.CHUNK: chunks.read,
}
_READERS: dict[int, Callable[[bytes], Frame]] = {
    FrameType.HELLO: _json(_read_hello),
    FrameType.PING: _json(lambda body: Ping(_number(body))),
    FrameType.PONG: _json(lambda body: Pong(_number(body))),
    FrameType.BYE: _json(lambda body: Bye(_text(body))),
    FrameType.REQUEST: _json(_read_request),
    FrameType.RESPONSE: _json(_read_response),
    FrameType.PAUSE: _json(lambda _: Pause()),
    FrameType.RESUME: _json(lambda _: Resume()),
    **_BINARY_READERS,
    FrameType.SQUEEZED: _read_squeezed,
}
