"""Carries out what a link decides: dials, answers, opens, reads, writes, closes."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection
from ipaddress import ip_address

from hallway.errors import HallwayError
from hallway.model import Candidate, Envelope, IcePolicy, PeerRecord, Refusal, RefusalCode
from hallway.protocol.effects import (
    Admit,
    Answer,
    Contested,
    Control,
    Dial,
    Down,
    DownReason,
    Drop,
    Effect,
    Faded,
    Failed,
    ForDelivery,
    Greet,
    Held,
    Moved,
    Refuse,
    SendFrame,
    Suspected,
    Up,
)
from hallway.protocol.frames import Hello
from hallway.protocol.link import Link
from hallway.runtime.delivery.layer import SECTION
from hallway.runtime.links.answering import Answering, refusal
from hallway.runtime.links.conversation import Conversation
from hallway.runtime.links.dialer import Yielded
from hallway.runtime.links.open_channel import OpenChannel
from hallway.runtime.links.run import AttemptRun
from hallway.runtime.links.services import Services
from hallway.trust import Signal

logger = logging.getLogger(__name__)


HEAD_START_SECONDS = 0.5
"""How long a new peer that the preferred plugin cannot reach yet is left alone: presence at a server is faster than mDNS on the LAN."""


class LinkDriver:
    """The link to one peer. All methods run in the event loop's thread."""

    def __init__(self, services: Services, peer_id: str) -> None:
        self.peer_id = peer_id
        self.link = Link(services.device.device_id, peer_id, random.random, services.timing, shared_patience=services.patience)
        self._services = services
        self._loop = asyncio.get_running_loop()
        self._runs: dict[int, AttemptRun] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._newcomer: PeerRecord | None = None
        self._rumour = False
        self._head_start: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.channel = OpenChannel(self.link, services, self._failed)
        self._answering = Answering(self.link, services, self._runs, self._carry_out, self._converse)

    @property
    def open(self) -> AttemptRun | None:
        """The attempt whose channel is the open one."""
        return self.channel.run

    @property
    def answering(self) -> AttemptRun | None:
        """The attempt that answers an offer of the peer."""
        return self._runs.get(self.link.incoming.id) if self.link.incoming is not None else None

    @property
    def forgettable(self) -> bool:
        """Whether nothing is left that has to be remembered."""
        return self._head_start is None and self.link.forgettable

    def seen(self, record: PeerRecord, announced: Collection[str] = (), *, rumour: bool = False) -> None:
        """The peer is in sight. A new one is dialed a moment later if a better way may show up until then.

        ``announced``: the hosts at which the peer itself says to be; none if it has not told. ``rumour``: only others tell that it exists.
        """
        self._newcomer, self._rumour = record, rumour
        self._compare(announced)
        if self.link.record is not None or self.link.closed or not self._services.dialer.awaits_better(record):
            self._take_newcomer()
        elif self._head_start is None:
            self.link.noticed(self._loop.time())
            self._head_start = self._loop.call_later(HEAD_START_SECONDS, self._take_newcomer)

    def _take_newcomer(self) -> None:
        self._end_head_start()
        assert self._newcomer is not None
        near = self._services.dialer.is_near(self._newcomer)
        self._carry_out(self.link.seen(self._newcomer, self._loop.time(), near=near))

    def _compare(self, announced: Collection[str]) -> None:
        """Draw what follows from where the peer is now: an open channel to elsewhere is doubtful, an offer from there is the peer's."""
        path = self.open.path if self.open is not None else None
        if announced and path is not None and not path.distant and path.remote not in announced:
            self._carry_out(self.link.doubt(self._loop.time()))
        if self.answering is not None and self.answering.address in announced:
            self._carry_out(self.link.vouched(self._loop.time()))

    def readdressed(self, own: Collection[str]) -> None:
        """This device has the addresses ``own`` now, loopback not counted; none while its interfaces are off."""
        path = self.open.path if self.open is not None else None
        if self.open is None:
            self.renew()
        elif own and path is not None and path.local not in own and not ip_address(path.local).is_loopback:
            if path.distant:
                # It may be a relay's address, which is none of ours.
                self._carry_out(self.link.doubt(self._loop.time()))
            else:
                self._failed(self.open, "this device has lost the address that its channel used", DownReason.ADDRESS_CHANGED)

    def renew(self) -> None:
        """This device has slept, or its network has changed: doubt what is open, dial anew what is not."""
        self._carry_out(self.link.renew(self._loop.time()))

    def _end_head_start(self) -> None:
        if self._head_start is not None:
            self._head_start.cancel()
            self._head_start = None

    def gone(self) -> None:
        """The peer is out of sight."""
        self._end_head_start()
        self._carry_out(self.link.gone())

    def revoked(self) -> None:
        """The peer does not belong to the property any more."""
        for run in list(self._runs.values()):
            self._failed(run, "it is revoked", DownReason.REVOKED, expected=True)
        self.gone()

    async def offered(self, signal: Signal, carrier: str, policy: IcePolicy, address: str | None) -> Envelope | Refusal:
        """Decide on an offer of this peer and return our answer, or why there is none."""
        return await self._answering.offered(signal, carrier, policy, address)

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
        waiting = [run for run in self._runs.values() if run is not self.open]
        for run in waiting:
            await run.add_candidate(candidate)
        return bool(waiting)

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
            case Dial(attempt_id, record, near):
                self._dial(attempt_id, record, near=near)
            case Answer(attempt_id):
                self._verdict(attempt_id, None)
            case Refuse(attempt_id, code):
                self._verdict(attempt_id, refusal(code))
            case Drop(attempt_id, reason, graceful):
                self._drop(attempt_id, reason, graceful=graceful)
            case Failed(attempt_id, phase, reason):
                self._services.reports.failed(self._runs[attempt_id], phase, reason, self._loop.time())
            case _:
                self._apply_open(effect)

    def _apply_open(self, effect: Effect) -> None:
        match effect:
            case Greet(attempt_id, moves):
                sections = {SECTION: self._services.delivery.hello(self.peer_id)}
                self._runs[attempt_id].greet(self._services.device, self._services.guard, sections, moves=moves)
            case Admit(attempt_id, hello):
                self._admit(self._runs[attempt_id], hello)
            case SendFrame(attempt_id, frame):
                self._runs[attempt_id].send(frame)
            case Control(frame):
                self._services.bus.received(self.peer_id, frame)
            case ForDelivery(frame):
                self.channel.received_for_delivery(frame)
            case Held(paused):
                self.channel.hold(paused=paused)
            case Suspected():
                self._services.look_around()
            case _:
                self._apply_news(effect)

    def _apply_news(self, effect: Effect) -> None:
        match effect:
            case Up(attempt_id, seconds):
                self.channel.up(self._runs[attempt_id], seconds)
            case Moved(attempt_id):
                self.channel.moved(self._runs[attempt_id])
            case Faded():
                self.channel.faded()
            case Contested():
                self.channel.warn_of_namesake()
            case Down(reason):
                self.channel.down(reason)

    def _arm(self) -> None:
        deadline = self.link.deadline
        if self._timer is not None:
            # With every message a heartbeat's time moves on. A timer that is early looks again.
            if deadline is not None and self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now, deadline = self._loop.time(), self.link.deadline
        self._carry_out(self.link.timer(now) if deadline is not None and deadline <= now else [])

    def _failed(self, run: AttemptRun, reason: str, down: DownReason = DownReason.CLOSED, *, expected: bool = False) -> None:
        logger.debug("an attempt to %s ended: %s", self.peer_id, reason)
        self._carry_out(self.link.failed(run.id, reason, self._loop.time(), down, expected=expected))

    def _dial(self, attempt_id: int, record: PeerRecord, *, near: bool) -> None:
        run = self._runs[attempt_id] = AttemptRun(attempt_id, self.peer_id)
        run.task = self._services.tasks.start(self._reach(run, record, near=near), f"dial {self.peer_id} {attempt_id}")

    async def _reach(self, run: AttemptRun, record: PeerRecord, *, near: bool) -> None:
        doubtful = not self.channel.was_open and (self._rumour or self.link.yielding)
        try:
            await self._services.dialer.reach(run, record, near=near, doubtful=doubtful)
        except HallwayError as error:
            self._failed(run, str(error), expected=isinstance(error, Yielded))
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
            run.admit(hello)
            self._carry_out(self.link.admitted(run.id, hello.epoch, self._loop.time()))

    def _verdict(self, attempt_id: int, refusal: Refusal | None) -> None:
        run = self._runs[attempt_id]
        if refusal is not None:
            del self._runs[attempt_id]
        if not run.verdict.done():
            run.verdict.set_result(refusal)

    def _drop(self, attempt_id: int, reason: str, *, graceful: bool) -> None:
        run = self._runs.pop(attempt_id)
        logger.debug("dropping attempt %d to %s: %s", attempt_id, self.peer_id, reason)
        self.channel.dropped(run, reason)
        if not run.verdict.done():
            run.verdict.set_result(refusal(RefusalCode.GLARE))
        closing = run.aclose(graceful=graceful, moved=graceful and self.open is not None)
        task = self._services.tasks.start(closing, f"close {self.peer_id} {attempt_id}")
        self._closing.add(task)
        self._services.refill()
        task.add_done_callback(self._closing.discard)
