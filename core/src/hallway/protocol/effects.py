"""What a link asks its driver to do. Effects are carried out in order."""

from __future__ import annotations

from enum import Enum

import attrs

from hallway.model import PeerRecord, RefusalCode
from hallway.protocol.attempt import Phase
from hallway.protocol.frames import Hello, LinkFrame, Request, Response
from hallway.protocol.parcels import DeliveryFrame


class DownReason(Enum):
    """Why an open link went down (the event `peer-disconnected`)."""

    BYE = "bye"
    TIMEOUT = "timeout"
    RESTARTED = "restarted"
    ADDRESS_CHANGED = "address-changed"
    REVOKED = "revoked"
    PROTOCOL = "protocol"
    CLOSED = "closed"


@attrs.frozen
class Dial:
    """Make an offer and send it along the chain to ``record``, as attempt ``attempt``. ``near``: over the LAN or not at all."""

    attempt: int
    record: PeerRecord
    near: bool = False


@attrs.frozen
class Answer:
    """Answer the offer that came in as attempt ``attempt``."""

    attempt: int


@attrs.frozen
class Refuse:
    """Refuse the offer that came in as attempt ``attempt``."""

    attempt: int
    code: RefusalCode


@attrs.frozen
class Drop:
    """Give the attempt up: cancel its signaling, close its channel. ``graceful`` delivers what was sent first."""

    attempt: int
    reason: str
    graceful: bool = False


@attrs.frozen
class Failed:
    """The attempt, which was in ``phase``, did not lead to a link; ``reason`` is a clause. A `Drop` or a `Refuse` for it follows."""

    attempt: int
    phase: Phase
    reason: str


@attrs.frozen
class Greet:
    """Send our HELLO over the channel of ``attempt``. ``moves``: this end has a link that works, which the channel is to carry on."""

    attempt: int
    moves: bool = False


@attrs.frozen
class Admit:
    """Let the guard decide on the peer's HELLO, then call `Link.admitted` or `Link.failed`."""

    attempt: int
    hello: Hello


@attrs.frozen
class SendFrame:
    """Send a frame over the channel of ``attempt``."""

    attempt: int
    frame: LinkFrame


@attrs.frozen
class ForDelivery:
    """A frame for the delivery layer."""

    frame: DeliveryFrame


@attrs.frozen
class Control:
    """A frame for the control bus."""

    frame: Request | Response


@attrs.frozen
class Held:
    """The peer has no room for messages, or has room again."""

    paused: bool


@attrs.frozen
class Suspected:
    """Nothing proves any more that what we send over the open channel arrives."""


@attrs.frozen
class Up:
    """The link is open over the channel of ``attempt``, ``seconds`` after the peer came into sight."""

    attempt: int
    seconds: float


@attrs.frozen
class Moved:
    """The link is now over the channel of ``attempt``; it was never down.

    What comes over that channel waits unread for the `Faded` of the old one, unless the peer sends no frames: then nothing can tell what
    was the last over the old one.
    """

    attempt: int


@attrs.frozen
class Faded:
    """All has come over the channel of ``attempt``, which the link has moved from, or its time is up: nothing of it is taken any more."""

    attempt: int


@attrs.frozen
class Down:
    """The link is not open any more."""

    reason: DownReason


@attrs.frozen
class Contested:
    """Another device offers under the id of the peer whose link is open and has shown life."""


Effect = (
    Dial
    | Answer
    | Refuse
    | Drop
    | Failed
    | Greet
    | Admit
    | SendFrame
    | ForDelivery
    | Control
    | Held
    | Suspected
    | Up
    | Moved
    | Faded
    | Down
    | Contested
)
