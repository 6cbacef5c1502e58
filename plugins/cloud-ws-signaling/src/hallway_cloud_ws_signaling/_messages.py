"""The values of the wire: who is in a room, what is said, and why a connection ends."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import attrs

from hallway.model import Envelope, Refusal


class Ending(Enum):
    """Why the server ends a connection: a code of RFC 6455 section 7.4.2 and a word for programs."""

    BAD_REQUEST = (4400, "bad-request")
    FOREIGN_SENDER = (4403, "foreign-sender")
    TOO_SLOW = (4408, "too-slow")
    ID_TAKEN = (4409, "id-taken")
    TOO_LARGE = (4413, "too-large")
    UNSUPPORTED_VERSION = (4426, "unsupported-version")
    RATE_LIMITED = (4429, "rate-limited")
    ROOM_FULL = (4503, "room-full")

    @property
    def close_code(self) -> int:
        """The WebSocket close code."""
        return self.value[0]

    @property
    def code(self) -> str:
        """The word in the ``error`` message that comes before the close frame."""
        return self.value[1]


class WireError(ValueError):
    """What came is not a message of this wire; ``ending`` is what it costs the sender."""

    def __init__(self, problem: str, ending: Ending = Ending.BAD_REQUEST) -> None:
        super().__init__(problem)
        self.ending = ending


@attrs.frozen
class Member:
    """A device in a room. ``epoch`` changes when it restarts."""

    device_id: str
    device_type: str = "device"
    epoch: str = ""


@attrs.frozen
class Join:
    """A device asks to be let into a room."""

    room: str
    member: Member


@attrs.frozen
class Relay:
    """What a device wants carried to another one. ``fields`` are its other keys, which the server does not read."""

    to: str
    fields: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The requester's name for the exchange."""
        return str(self.fields["id"])


@attrs.frozen
class Joined:
    """We are in the room, with these peers; the server takes ``rate`` messages a second of us, ``burst`` at once."""

    peers: tuple[Member, ...]
    rate: float
    burst: float


@attrs.frozen
class PeerJoined:
    """A device is in the room now."""

    member: Member


@attrs.frozen
class PeerLeft:
    """A device is not in the room any more."""

    device_id: str


@attrs.frozen
class Unreadable:
    """A peer's envelope that cannot be read, and why; the connection is not to blame."""

    problem: str


@attrs.frozen
class Request:
    """A peer asks."""

    peer: str
    id: str
    content: Envelope | Unreadable


@attrs.frozen
class Response:
    """A peer answers our request ``id``."""

    peer: str
    id: str
    content: Envelope | Refusal | Unreadable


@attrs.frozen
class Cancel:
    """A peer does not want the answer any more."""

    peer: str
    id: str


@attrs.frozen
class Failed:
    """The server could not carry our request ``id``."""

    id: str
    message: str


@attrs.frozen
class Ended:
    """The server is about to end the connection."""

    code: str
    message: str


FromServer = Joined | PeerJoined | PeerLeft | Request | Response | Cancel | Failed | Ended
