"""ControlBus: requests between devices whose link is open. Not a plugin's to implement: the runtime gives it to every plugin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

MAX_CONTROL_BODY = 64 * 1024
"""Bytes of JSON in one body, at most."""

MAX_CONTROL_REQUESTS = 16
"""Requests of one peer that a device handles at once; more are refused as ``busy``."""

ControlHandler = Callable[[str, Any], Awaitable[Any]]
"""Takes the peer's id and the body of its request, and returns the body of the response, both JSON values. A `HallwayError` that it raises
becomes the peer's `ControlRefused`, with the same text and its code as the reason; a `ControlRefused` keeps its own reason."""


class ControlBus(ABC):
    """How plugins of two linked devices talk: over the open channel, beside the application's messages and ahead of them.

    * **Order**: requests to one peer arrive in the order of the calls; they are handled side by side.
    * **Loss**: a request returns what the peer's handler returned, or raises; it may have been handled when it raises.
    * **Concurrency**: any number of requests at once; of one peer a device handles `MAX_CONTROL_REQUESTS` and refuses more as ``busy``.
    * **Cancellation**: a cancelled request leaves nothing behind at this end; the peer's handler ends by itself.
    """

    @property
    @abstractmethod
    def linked(self) -> tuple[str, ...]:
        """The ids of the peers with an open link that speak hallway: those that can be asked now."""

    @abstractmethod
    async def request(self, peer_id: str, kind: str, body: Any, deadline: float) -> Any:
        """Ask the peer's handler of ``kind`` and return its answer. Bodies are JSON values of at most `MAX_CONTROL_BODY` bytes.

        ``deadline`` is absolute, in seconds of the running loop's `time()`.

        Raises:
            PeerUnavailable: there is no open link to that peer, or it went down before the answer.
            DeadlineExceeded: no answer came in time.
            ControlRefused: the peer has no such handler, is busy, or its handler refused.
            BadMessage, MessageTooLarge: the body is no JSON value, or has too many bytes.

        """

    @abstractmethod
    def serve(self, kind: str, handler: ControlHandler) -> None:
        """Let ``handler`` answer the requests of ``kind`` from now on, for as long as the device runs.

        Raises:
            MisuseError: that kind is served already.

        """

    @abstractmethod
    def watch(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, in the event loop, each time after `linked` has changed or a link has moved to another channel. It must not
        block or raise.
        """
