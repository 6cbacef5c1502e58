"""What every security mode must do, and the values that it does it to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import attrs

from hallway.interfaces import Cover
from hallway.model import Binding, Candidate, Description, Envelope, Origin, Refusal


@attrs.frozen
class Mark:
    """What an offer or answer of a device that speaks hallway says of it: the highest wire version and the epoch of its start."""

    version: int
    epoch: str


@attrs.frozen
class Signal:
    """What an envelope says once a guard has read it: an offer or answer (``description``) or one trickled ``candidate``.

    ``mark`` is None for a device that does not speak hallway. ``reference`` is the guard's name for an offer
    that is to be answered.
    """

    sender: str
    to: str
    description: Description | None = None
    candidate: Candidate | None = None
    mark: Mark | None = None
    reference: str = ""


class Guard(ABC):
    """Makes and reads the bytes of signaling, and decides who may have an open link. ``now`` is wall-clock time in seconds since 1970."""

    caution: str | None = None
    """What the log has to say about this mode at start and every hour; None: nothing."""
    cover: Cover | None = None
    """Under which names this device and its peers appear where outsiders can see them; None: under their own."""

    @abstractmethod
    def seal(self, to: str, content: Description | Candidate, now: float, *, reference: str = "") -> Envelope:
        """The envelope that carries ``content`` from this device to the device ``to``.

        ``reference``: that of the signal which ``content`` answers. A guard that must know whom it seals for may raise a `HallwayError`.
        """

    @abstractmethod
    def open(self, envelope: Envelope, origin: Origin, now: float) -> Signal | Envelope | Refusal:
        """Read an envelope that came in; an `Envelope` is the answer to one that was for the guard itself.

        Never raises: whatever is wrong with it becomes the refusal to send back.
        """

    @abstractmethod
    def hello(self, to: str, binding: Binding | None, now: float) -> dict[str, Any]:
        """This guard's section of our HELLO to the device ``to``."""

    @abstractmethod
    def admit(self, sender: str, section: Any, binding: Binding | None, now: float) -> str | None:
        """Decide on the guard's section of a peer's HELLO: None lets it in, a clause says why not."""

    def status(self) -> dict[str, Any] | None:
        """What `Peer.status` has to say of it, as a JSON object; None: nothing."""
        return None

    def knows(self, device_id: str) -> bool:
        """Whether a device of that name can be dealt with now: there may be others in sight."""
        return True

    def helped(self, refusal: Refusal, now: float) -> bool:
        """Take in what a peer has sent with its refusal. True: what was refused may be sealed again, and sent once more."""
        return False

    def hand_over(self, to: str, refusal: Refusal, now: float) -> Envelope | None:
        """What the device ``to`` lacks, if that is why it may have refused, or we its answer: to be sent before the next offer."""
        return None

    def shown(self, refusal: Refusal) -> Refusal:
        """A refusal of this device as anybody may see it."""
        return refusal
