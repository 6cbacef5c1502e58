"""What happens to a device, as its application sees it. `to_json` is the form that ``hallway up --json`` prints."""

from __future__ import annotations

import base64
from typing import Any, ClassVar, get_args

import attrs


@attrs.frozen
class SignalingMode:
    """The signaling mode has changed: ``local``, ``cloud`` or ``none``."""

    name: ClassVar[str] = "signaling-mode"
    mode: str


@attrs.frozen
class PeerFound:
    """A peer has come into sight of the plugin ``discovery``."""

    name: ClassVar[str] = "peer-found"
    peer_id: str
    discovery: str


@attrs.frozen
class PeerLost:
    """A peer is out of sight of the plugin ``discovery``; an open link to it lives on."""

    name: ClassVar[str] = "peer-lost"
    peer_id: str
    discovery: str


@attrs.frozen
class PeerConnected:
    """A link is open. ``ms``: milliseconds since this end's first resolved record or first offer after the link was last down."""

    name: ClassVar[str] = "peer-connected"
    peer_id: str
    signaling: str
    channel: str
    ms: float


@attrs.frozen
class PeerPath:
    """The link has moved to another channel without a gap."""

    name: ClassVar[str] = "peer-path"
    peer_id: str
    signaling: str
    channel: str


@attrs.frozen
class PeerDisconnected:
    """A link is down. ``reason`` is one of `hallway.protocol.effects.DownReason`."""

    name: ClassVar[str] = "peer-disconnected"
    peer_id: str
    reason: str


# Not frozen as the others are: one is made for every message, and that would be most of what making it takes.
@attrs.define
class MessageReceived:
    """A message has arrived. ``id`` is the sender's; a device that does not speak hallway gives none, so it is made here."""

    name: ClassVar[str] = "message"
    peer_id: str
    message: Any
    id: str


@attrs.frozen
class Delivered:
    """A message of ours is in the peer's inbox for good."""

    name: ClassVar[str] = "delivered"
    peer_id: str
    id: str


@attrs.frozen
class Undelivered:
    """A message of ours will not be delivered: it is a dead letter. ``reason``: ``expired``, or a clause."""

    name: ClassVar[str] = "undelivered"
    peer_id: str
    id: str
    reason: str


@attrs.frozen
class ErrorHappened:
    """Something went wrong that no call of the application caused."""

    name: ClassVar[str] = "error"
    code: str
    message: str
    hint: str


Event = (
    SignalingMode
    | PeerFound
    | PeerLost
    | PeerConnected
    | PeerPath
    | PeerDisconnected
    | MessageReceived
    | Delivered
    | Undelivered
    | ErrorHappened
)


NAMES: tuple[str, ...] = tuple(kind.name for kind in get_args(Event))
"""The names of all events."""


def bytes_as_json(value: object) -> dict[str, str]:
    """What stands in JSON for bytes in a message: ``{"base64": text}`` (RFC 4648, section 4). For the ``default`` of `json.dumps`.

    Raises:
        TypeError: it is something else.

    """
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return {"base64": base64.b64encode(value).decode()}


def to_json(event: Event) -> dict[str, Any]:
    """The event as one JSON object, its keys in the wire's camelCase. Bytes in a message stay bytes: see `bytes_as_json`."""
    fields = {("peerId" if key == "peer_id" else key): value for key, value in attrs.asdict(event, recurse=False).items()}
    return {"event": event.name, **fields}
