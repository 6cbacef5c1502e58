"""Carries out what a link decides: dials, answers, opens, reads, writes, closes."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from urllib.parse import urlsplit

from hallway.errors import BadDescription, HallwayError, PeerUnavailable
from hallway.events import ErrorHappened, PeerConnected, PeerDisconnected, PeerPath
from hallway.model import Candidate, Description, Envelope, IcePolicy, PeerRecord, Refusal, RefusalCode
from hallway.protocol.effects import (
    Admit,
    Answer,
    Contested,
    Dial,
    Down,
    DownReason,
    Drop,
    Effect,
    Greet,
    Moved,
    Refuse,
    SendFrame,
    Up,
)
from hallway.protocol.frames import Hello
from hallway.protocol.link import Link
from hallway.runtime.conversation import Conversation
from hallway.runtime.run import AttemptRun
from hallway.runtime.services import Services
from hallway.trust import Signal

logger = logging.getLogger(__name__)


HEAD_START_SECONDS = 0.5
"""How long a new peer that the preferred plugin cannot reach yet is left alone: presence at a server is faster than mDNS on the LAN."""


class LinkDriver:
    """The link to one peer. All methods run in the event loop's thread."""

    def __init__(self, services: Services, peer_id: str) -> None:
        self.peer_id = peer_id
        self.link = Link(services.device.device_id, peer_id, random.random)
        self._services = services
        self._loop = asyncio.get_running_loop()
        self._runs: dict[int, AttemptRun] = {}
        self._open: AttemptRun | None = None
        self._warned_of: AttemptRun | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._newcomer: PeerRecord | None = None
        self._head_start: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.answers_to: str | None = None
        """The network address from which the peer's last offer came."""

    @property
    def open(self) -> AttemptRun | None:
        """The attempt whose channel is the open one."""
        return self._open

    @property
    def answering(self) -> bool:
        """Whether an offer of the peer is under way."""
        return self.link.incoming is not None

    @property
    def forgettable(self) -> bool:
        """Whether nothing is left that has to be remembered."""
        return self._head_start is None and self.link.forgettable

    def seen(self, record: PeerRecord) -> None:
        """The peer is in sight. A new one is dialed a moment later if a better way may show up until then."""
        self._newcomer = record
        if self.link.record is not None or self.link.closed or not self._services.dialer.awaits_better(record):
            self._take_newcomer()
        elif self._head_start is None:
            self.link.noticed(self._loop.time())
            self._head_start = self._loop.call_later(HEAD_START_SECONDS, self._take_newcomer)

    def _take_newcomer(self) -> None:
        self._end_head_start()
        assert self._newcomer is not None
        self._carry_out(self.link.seen(self._newcomer, self._loop.time()))

    def _end_head_start(self) -> None:
        if self._head_start is not None:
            self._head_start.cancel()
            self._head_start = None

    def gone(self) -> None:
        """The peer is out of sight."""
        self._end_head_start()
        self._carry_out(self.link.gone())

    async def offered(self, signal: Signal, carrier: str, policy: IcePolicy, address: str | None) -> Envelope | Refusal:
        """Decide on an offer of this peer and return our answer, or why there is none."""
        assert signal.description is not None
        epoch = signal.mark.epoch if signal.mark is not None else None
        attempt_id, effects = self.link.offered(self._loop.time(), epoch=epoch, stranger=self._is_stranger(address))
        run = self._runs[attempt_id] = AttemptRun(attempt_id, self.peer_id)
        run.signaling, run.policy, run.speaks_hallway = carrier, policy, epoch is not None
        self._carry_out(effects)
        try:
            refusal = await run.verdict
            return refusal or await self._answer(run, signal.description)
        except asyncio.CancelledError:
            self._failed(run, "the peer has withdrawn its offer")
            raise
        except Exception:
            logger.exception("the offer of %s could not be answered", self.peer_id)
            return self._refuse(run, RefusalCode.INTERNAL, "this device could not answer")

    def _is_stranger(self, address: str | None) -> bool:
        """Whether ``address`` is none of those where the peer is known to be; carriers without addresses know no strangers."""
        record = self.link.record
        hosts = {urlsplit(endpoint).hostname for endpoint in record.endpoints} - {None} if record is not None else set()
        return address is not None and bool(hosts) and address not in hosts

    def late_answer(self, signal: Signal) -> bool:
        """Take an answer that came by itself; False if no offer of ours waits for one."""
        dial = self.link.dial
        run = self._runs.get(dial.id) if dial is not None else None
        if run is None or run.channel is not None or run.late_answer.done():
            return False
        run.late_answer.set_result(signal)
        return True

    async def add_candidate(self, candidate: Candidate) -> bool:
        """Take a trickled candidate; False if no attempt waits for one."""
        waiting = [run for run in self._runs.values() if run is not self._open]
        for run in waiting:
            await run.add_candidate(candidate)
        return bool(waiting)

    async def send(self, message_id: str, text: str) -> None:
        """Send one message (JSON text).

        Raises:
            PeerUnavailable: the link is not open.
            MessageTooLarge: it does not fit.

        """
        run = self._open
        if run is None or run.outgoing is None:
            raise PeerUnavailable(f"there is no open link to {self.peer_id}", hint="wait for peer-connected, then send again")
        await run.outgoing.put(message_id, text)

    async def aclose(self) -> None:
        """Say bye and close every channel, within `run.DRAIN_SECONDS` and a little."""
        self._end_head_start()
        self._carry_out(self.link.close())
        if self._closing:
            await asyncio.wait(self._closing)

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._apply(effect)
        self._arm()

    def _apply(self, effect: Effect) -> None:
        match effect:
            case Dial(attempt_id, record):
                self._dial(attempt_id, record)
            case Answer(attempt_id):
                self._verdict(attempt_id, None)
            case Refuse(attempt_id, code):
                self._verdict(attempt_id, Refusal(code, _REFUSALS.get(code, "not now")))
            case Drop(attempt_id, reason, graceful):
                self._drop(attempt_id, reason, graceful=graceful)
            case _:
                self._apply_open(effect)

    def _apply_open(self, effect: Effect) -> None:
        match effect:
            case Greet(attempt_id):
                self._runs[attempt_id].greet(self._services.device, self._services.guard)
            case Admit(attempt_id, hello):
                self._admit(self._runs[attempt_id], hello)
            case SendFrame(attempt_id, frame):
                self._runs[attempt_id].send(frame)
            case Up(attempt_id, seconds):
                self._open = run = self._runs[attempt_id]
                ms = round(seconds * 1000, 3)
                self._services.publisher.publish(PeerConnected(self.peer_id, run.signaling, run.channel_plugin, ms))
                self._services.refill()
            case Moved(attempt_id):
                run = self._runs[attempt_id]
                run.succeed(self._open)
                self._open = run
                self._services.publisher.publish(PeerPath(self.peer_id, run.signaling, run.channel_plugin))
            case Contested():
                self._warn_of_namesake()
            case Down(reason):
                self._open = None
                self._services.publisher.publish(PeerDisconnected(self.peer_id, reason.value))

    def _warn_of_namesake(self) -> None:
        if self._open is not None and self._open is not self._warned_of:
            self._warned_of = self._open
            text = f"another device offers under the id {self.peer_id}, whose link is open and alive"
            self._services.publisher.publish(ErrorHappened("duplicate-device-id", text, "give every device an id of its own"))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self.link.deadline
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._carry_out(self.link.timer(self._loop.time()))

    def _failed(self, run: AttemptRun, reason: str, down: DownReason = DownReason.CLOSED) -> None:
        logger.info("attempt %d to %s ended: %s", run.id, self.peer_id, reason)
        self._carry_out(self.link.failed(run.id, reason, self._loop.time(), down))

    def _dial(self, attempt_id: int, record: PeerRecord) -> None:
        run = self._runs[attempt_id] = AttemptRun(attempt_id, self.peer_id)
        run.task = self._services.tasks.start(self._reach(run, record), f"dial {self.peer_id} {attempt_id}")

    async def _reach(self, run: AttemptRun, record: PeerRecord) -> None:
        try:
            await self._services.dialer.reach(run, record)
        except HallwayError as error:
            self._failed(run, str(error))
        except Exception:
            self._failed(run, "an internal error")
            raise
        else:
            await self._converse(run)

    async def _converse(self, run: AttemptRun) -> None:
        await Conversation(run, self.link, self._services, self._carry_out, self._failed).run()

    def _admit(self, run: AttemptRun, hello: Hello) -> None:
        objection = run.objection(self._services.guard, hello)
        if objection is not None:
            self._failed(run, objection, DownReason.PROTOCOL)
        else:
            self._carry_out(self.link.admitted(run.id, hello.epoch, self._loop.time()))

    def _verdict(self, attempt_id: int, refusal: Refusal | None) -> None:
        run = self._runs[attempt_id]
        if refusal is not None:
            del self._runs[attempt_id]
        if not run.verdict.done():
            run.verdict.set_result(refusal)

    async def _answer(self, run: AttemptRun, offer: Description) -> Envelope | Refusal:
        maker = next((maker for maker in self._services.makers if maker.kind == offer.kind), None)
        if maker is None:
            return self._refuse(run, RefusalCode.UNSUPPORTED_KIND, f"this device has no channel of the kind {offer.kind!r}")
        try:
            description, channel = await maker.connector.answer(offer, run.policy)
        except BadDescription as error:
            return self._refuse(run, RefusalCode.BAD_DESCRIPTION, str(error))
        except HallwayError as error:
            return self._refuse(run, RefusalCode.BUSY, str(error))
        run.channel_plugin = maker.plugin
        run.attach(channel)
        for candidate in run.take_early():
            await channel.add_candidate(candidate)
        if run.id not in self._runs:
            await channel.aclose()
            return Refusal(RefusalCode.GLARE, _REFUSALS[RefusalCode.GLARE])
        run.task = self._services.tasks.start(self._converse(run), f"answer {self.peer_id} {run.id}")
        return self._services.guard.seal(self.peer_id, description, time.time())

    def _refuse(self, run: AttemptRun, code: RefusalCode, message: str) -> Refusal:
        self._failed(run, message)
        return Refusal(code, message)

    def _drop(self, attempt_id: int, reason: str, *, graceful: bool) -> None:
        run = self._runs.pop(attempt_id)
        logger.debug("dropping attempt %d to %s: %s", attempt_id, self.peer_id, reason)
        if run is self._open:
            self._open = None
        if not run.verdict.done():
            run.verdict.set_result(Refusal(RefusalCode.GLARE, _REFUSALS[RefusalCode.GLARE]))
        task = self._services.tasks.start(run.aclose(graceful=graceful), f"close {self.peer_id} {attempt_id}")
        self._closing.add(task)
        self._services.refill()
        task.add_done_callback(self._closing.discard)


_REFUSALS = {
    RefusalCode.GLARE: "this device's own offer to you stands",
    RefusalCode.CLOSING: "this device is closing",
    RefusalCode.FORBIDDEN: "the device of that name is known at another address",
}
