"""The open channel of a link: what goes over it, and who is told that it is there, has moved, or is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hallway.errors import BadFrame, PeerUnavailable
from hallway.events import ErrorHappened, PeerConnected, PeerDisconnected, PeerPath
from hallway.protocol.batches import Maker
from hallway.protocol.effects import DownReason
from hallway.protocol.frames import LinkFrame
from hallway.protocol.link import Link
from hallway.protocol.parcels import DeliveryFrame
from hallway.runtime.delivery.layer import SECTION
from hallway.runtime.links.run import AttemptRun
from hallway.runtime.links.services import Services


class OpenChannel:
    """That of the link to one peer, whichever attempt it came from; ``run`` is that attempt, None while there is none.

    ``failed`` ends the attempt with a reason.
    """

    def __init__(self, link: Link, services: Services, failed: Callable[[AttemptRun, str, DownReason], None]) -> None:
        self.peer_id = link.peer_id
        self.run: AttemptRun | None = None
        self.was_open = False
        """Whether there ever was one: then there is such a peer."""
        self._link = link
        self._services = services
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._fading: AttemptRun | None = None
        self._warned_of: AttemptRun | None = None
        self._end_reason = ""

    def send(self, body: bytes) -> Coroutine[Any, Any, str]:
        """Send one message (`hallway.protocol.packed`); awaiting the answer gives its id.

        Raises:
            PeerUnavailable: the link is not open.
            MessageTooLarge, BadMessage: it does not fit the channel, or the peer.

        """
        run = self.run
        if run is None or run.outgoing is None:
            raise PeerUnavailable(f"there is no open link to {self.peer_id}", hint="wait for peer-connected, then send again")
        return run.outgoing.put(body)

    def send_now(self, body: bytes) -> str | None:
        """Send one message if there is nothing to wait for; returns its id, or None: then nothing was sent, and `send` does it.

        Raises:
            PeerUnavailable: the link is not open any more.

        """
        run = self.run
        return None if run is None or run.outgoing is None else run.outgoing.put_now(body)

    def send_shared(self, maker: Maker, number: int, body: bytes) -> bool:
        """Send one message that goes to many, if the link has room for it now; returns whether it was taken."""
        run = self.run
        return run is not None and run.outgoing is not None and run.outgoing.put_shared(maker, number, body)

    def check(self, body: bytes) -> None:
        """See whether the peer takes the message, if the link is open.

        Raises:
            MessageTooLarge, BadMessage: it does not.

        """
        if self.run is not None and self.run.outgoing is not None:
            self.run.outgoing.check(body)

    def hold(self, *, paused: bool) -> None:
        """The peer has asked for a pause, or for more."""
        if self.run is not None and self.run.outgoing is not None:
            self.run.outgoing.hold(paused=paused)

    def up(self, run: AttemptRun, seconds: float) -> None:
        """The link is open, over the channel of ``run``, ``seconds`` after the peer was seen."""
        self.run, self.was_open = run, True
        self._services.reports.forget(self.peer_id)
        self._services.publisher.publish(PeerConnected(self.peer_id, run.signaling, run.channel_plugin, round(seconds * 1000, 3)))
        if run.speaks_hallway:
            self._services.bus.up(self.peer_id, self._send_control)
        self._deliver_over(run)
        self.remember()
        self._services.refill()

    def moved(self, run: AttemptRun) -> None:
        """The link goes over the channel of ``run`` from now on; the one of before fades."""
        assert self.run is not None
        run.succeed(self.run)
        self._fading, self.run = self.run, run
        self._deliver_over(run)
        self.remember()
        self._services.bus.moved(self.peer_id)
        self._services.publisher.publish(PeerPath(self.peer_id, run.signaling, run.channel_plugin))

    def faded(self) -> None:
        """Nothing comes over the channel of before any more."""
        if self._fading is not None:
            self._fading.faded.set()
            self._fading = None

    def dropped(self, run: AttemptRun, reason: str) -> None:
        """The attempt is given up; if the channel is its own, nothing more is to go over it."""
        if run is self.run:
            self.run, self._end_reason = None, reason

    def down(self, reason: DownReason) -> None:
        """The link is not open any more."""
        self.run = None
        if reason is DownReason.PROTOCOL:
            self._services.reports.violated(self.peer_id, self._end_reason, self._loop.time())
        self._services.publisher.publish(PeerDisconnected(self.peer_id, reason.value))
        self._services.bus.down(self.peer_id)
        self._services.delivery.down(self.peer_id)
        if reason is DownReason.BYE:
            self._loop.call_soon(self._services.memory.left, self.peer_id)

    def received_for_delivery(self, frame: DeliveryFrame) -> None:
        """Hand on what came for the delivery layer."""
        try:
            self._services.delivery.received(self.peer_id, frame)
        except BadFrame as error:
            if self.run is not None:
                self._failed(self.run, str(error), DownReason.PROTOCOL)

    def remember(self) -> None:
        """Note where the open link works."""
        if self.run is not None and self._link.record is not None:
            remote = self.run.path.remote if self.run.path is not None else None
            # Not in the midst of effects: it comes back to the link as a sighting.
            self._loop.call_soon(self._services.memory.works, self._link.record, remote)

    def warn_of_namesake(self) -> None:
        """Tell, once for each channel, that somebody else offers under the peer's id."""
        if self.run is not None and self.run is not self._warned_of:
            self._warned_of = self.run
            text = f"another device offers under the id {self.peer_id}, whose link is open and alive"
            self._services.publisher.publish(ErrorHappened("duplicate-device-id", text, "give every device an id of its own"))

    def _deliver_over(self, run: AttemptRun) -> None:
        if run.outgoing is None:
            return
        section = run.hello.sections.get(SECTION) if run.hello is not None else None
        if section is None:
            self._services.delivery.up_plain(self.peer_id, self)
            return
        try:
            self._services.delivery.up(self.peer_id, section, run.outgoing.parcel, run.outgoing.max_frame)
        except BadFrame as error:
            self._loop.call_soon(self._failed, run, str(error), DownReason.PROTOCOL)

    def _send_control(self, frame: LinkFrame) -> None:
        if self.run is not None:
            self.run.send(frame)
