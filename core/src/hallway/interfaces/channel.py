"""Channel: a bidirectional message pipe to one peer. Made in two phases, by offer and answer (JSEP, RFC 8829)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from hallway.model import Binding, Candidate, Description, IcePolicy, Path

Taker = Callable[[str | bytes], bool]
"""Takes a message, or says that it does not want it now. It must not raise: its channel ends then, by no fault of the peer."""


class Channel(ABC):
    """A pipe of messages, each `str` or `bytes`, kept apart and unchanged.

    * **Order and loss**: messages arrive once, in the order of the calls to `send` and `send_now`, until the channel ends; what was sent
      and not acknowledged when the network fails may be lost.
    * **Early messages** are kept: what arrives before the first `receive` is handed out by it.
    * **Backpressure**: `send` waits while more than about half a second of data is under way. At most 16 MiB wait for a reader; a peer that
      sends on beyond that ends its own channel.
    * **Violations**: when a peer breaks the protocol the channel ends, and `ChannelClosed` has a `RemoteViolation` as its cause.
    * **Concurrency**: any number of tasks may `send`; one at a time may `receive`.
    * **Cancellation**: a cancelled `send` has sent either the whole message or nothing; a cancelled `receive` loses no message.
    """

    kind: str
    """The description kind that made it."""
    max_message: int
    """Bytes (of UTF-8, for text) in one message, at most. Final once open."""

    @abstractmethod
    async def opened(self, deadline: float) -> None:
        """Return when messages can pass. ``deadline`` is absolute, in seconds of the running loop's `time()`.

        Raises:
            DeadlineExceeded: it did not open in time. The channel must still be closed.
            ChannelClosed: it ended before it opened.

        """

    @abstractmethod
    async def send(self, message: str | bytes) -> None:
        """Hand one message to the channel; return when there is room for more.

        Raises:
            MessageTooLarge: nothing was sent.
            ChannelClosed: it has ended.
            ClosedError: after `aclose`.

        """

    def send_now(self, message: str | bytes) -> bool:
        """Send one message if that needs no waiting: the channel is open, nobody waits to send, and there is room.

        True: it is sent, and it may be more than there was room for; then the next `send` waits. False: nothing was sent; use `send`. That
        is all that a channel says which does not know of it.

        Raises:
            MessageTooLarge, ChannelClosed, ClosedError: as from `send`.

        """
        return False

    @abstractmethod
    async def receive(self) -> str | bytes:
        """Return the next message, waiting for it.

        Raises:
            ChannelClosed: it has ended and all that arrived has been handed out.
            BusyError: another task is receiving.
            ClosedError: after `aclose`.

        """

    def hand_first_to(self, taker: Taker) -> None:  # noqa: B027 - a channel may do without
        """Offer ``taker`` the messages that come while a task waits in `receive` and none is before them; what it leaves is received.

        That saves a turn of the loop for each. A channel that does not know of it hands out everything by `receive`.
        """

    @abstractmethod
    async def add_candidate(self, candidate: Candidate) -> None:
        """Take a trickled candidate (RFC 8838) that came after the description. Unusable ones are ignored. Never waits for the network."""

    @property
    @abstractmethod
    def buffered(self) -> int:
        """Bytes that were sent and that the peer has not acknowledged yet, as far as the channel can tell."""

    @property
    def acknowledged_bytes(self) -> int | None:
        """Bytes that the peer has acknowledged since the channel opened: they show that what we send arrives. It never falls.

        None for a channel that cannot tell what has arrived at the peer itself, which a socket's own buffer does not.
        """
        return None

    @property
    def path(self) -> Path | None:
        """The addresses between which messages pass now; None before the channel is open, or if it cannot tell."""
        return None

    @property
    @abstractmethod
    def binding(self) -> Binding | None:
        """The verified fingerprints of both ends once open; None for a channel without them."""

    @abstractmethod
    async def aclose(self, deadline: float | None = None) -> None:
        """Deliver what was sent, until ``deadline`` (absolute; None: 1 s from now), then close and release everything.

        Wakes a waiting `receive`. Closing twice is silent. It closes even when it is cancelled or fails. A channel that never opened, or
        has ended, closes at once.
        """


class Dialing(ABC):
    """An offer that waits for its answer. It must be closed, or accepted."""

    offer: Description

    @abstractmethod
    async def accept(self, answer: Description) -> Channel:
        """Take the answer and begin to connect; the channel is not open yet. From here on closing the channel is enough.

        Raises:
            BadDescription: the answer cannot be used. The dialing must still be closed.

        """

    @abstractmethod
    async def aclose(self) -> None:
        """Give up and release everything, unless it was accepted. Closing twice is silent."""


class Connector(ABC):
    """Makes the channels of one kind."""

    @abstractmethod
    async def prepare(self) -> None:
        """Make ready what the next `dial` or `answer` needs and does not depend on the peer (imports, certificate, sockets).

        Called at start and after each use, in the background. It never raises for want of a network: the dial will.
        """

    @abstractmethod
    async def dial(self, policy: IcePolicy) -> Dialing:
        """Make an offer, complete with its candidates, within 1.2 s.

        Raises:
            Unreachable: no allowed interface has an address.

        """

    @abstractmethod
    async def answer(self, offer: Description, policy: IcePolicy) -> tuple[Description, Channel]:
        """Make the answer to ``offer``, complete with its candidates, within 1.2 s, and the channel that opens when the peer takes it.

        Raises:
            BadDescription: the offer cannot be used; nothing was allocated.
            Unreachable: no allowed interface has an address.

        """

    @abstractmethod
    async def aclose(self) -> None:
        """Release what `prepare` made. Channels live on. Closing twice is silent."""
