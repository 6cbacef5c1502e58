"""From the moment both descriptions are known: the channel opens, and what comes over it is read until it ends."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from typing import Any

from hallway.errors import BadFrame, ChannelClosed, ClosedError, DeadlineExceeded, RemoteViolation
from hallway.events import ErrorHappened, MessageReceived
from hallway.model import IcePolicy
from hallway.protocol import jsontext
from hallway.protocol.batches import LONE_HEAD
from hallway.protocol.chunks import Assembly, Chunk
from hallway.protocol.effects import DownReason, Effect
from hallway.protocol.frames import Messages, Pause, Resume, decode, decode_large, decode_lone
from hallway.protocol.link import Link
from hallway.protocol.turns import Turn, Turns
from hallway.protocol.weights import of_json
from hallway.runtime.links.outgoing import Outgoing
from hallway.runtime.links.run import AttemptRun
from hallway.runtime.links.services import Services

logger = logging.getLogger(__name__)

TURNS = Turns()
"""The loop is shared by all conversations of this process."""
MAX_GARBAGE = 10
"""Things that are no messages, at most, before the channel of a peer without frames is ended."""
SURPLUS_BYTES = 8 * 1024 * 1024
"""Bytes of messages that are taken after the peer was asked to pause: what it had under way, weighed as memory."""
REST_SECONDS = 60.0
"""How long the next piece of a large message may be awaited beyond the silence that a link outlives: more than a slow sender needs for
one, on a path that carries 16 KiB in that time."""
OPENING_LIMIT = 60.0
"""Seconds after which a channel gives up by itself; the link's own, shorter deadlines decide before."""


class Conversation:
    """Feeds one attempt's channel to its link.

    ``carry_out`` takes the link's effects; ``failed`` ends the attempt with a reason.
    """

    def __init__(
        self,
        run: AttemptRun,
        link: Link,
        services: Services,
        carry_out: Callable[[list[Effect]], None],
        failed: Callable[[AttemptRun, str, DownReason], None],
    ) -> None:
        self._run = run
        self._link = link
        self._publish = services.publisher.publish
        self._room = services.publisher.room
        self._carry_out = carry_out
        self._failed = failed
        self._take = self._take_frame if run.speaks_hallway else self._take_plain
        self._turn = Turn(TURNS)
        self._garbage = 0
        self._surplus = 0
        self._assembly = Assembly(REST_SECONDS + services.timing.lost_after)
        self._overdue: asyncio.TimerHandle | None = None
        self._is_reading = True
        self._group = asyncio.TaskGroup()
        self._resuming: asyncio.Task[None] | None = None
        self._crash: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time

    async def run(self) -> None:
        """Open the channel, then read and write until it ends; cancel it to stop."""
        run = self._run
        assert run.channel is not None
        assert run.outgoing is not None
        self._carry_out(self._link.answered(run.id, self._now(), distant=run.policy is IcePolicy.WAN))
        try:
            await run.channel.opened(self._now() + OPENING_LIMIT)
            async with self._group as group:
                group.create_task(self._write(run.outgoing), name=f"write {run.peer_id} {run.id}")
                group.create_task(run.outgoing.watch(self._proved), name=f"watch {run.peer_id} {run.id}")
                self._opened()
                await self._read()
        except* (ChannelClosed, ClosedError, DeadlineExceeded) as errors:
            violated = any(isinstance(error.__cause__, RemoteViolation) for error in errors.exceptions)
            reason = "; ".join(map(str, errors.exceptions))
            self._failed(run, reason, DownReason.PROTOCOL if violated else DownReason.CLOSED)
        except* Exception:
            self._failed(run, "an internal error", DownReason.CLOSED)
            raise
        finally:
            if self._overdue is not None:
                self._overdue.cancel()

    async def _write(self, outgoing: Outgoing) -> None:
        try:
            await outgoing.run()
        except (ChannelClosed, ClosedError) as error:
            # The reader meets the same end, after all that has arrived.
            logger.debug("the channel to %s takes nothing any more: %s", self._run.peer_id, error)

    def _opened(self) -> None:
        run = self._run
        distant = run.path.distant if run.path is not None else None
        self._carry_out(self._link.opened(run.id, self._now(), speaks_hallway=run.speaks_hallway, distant=distant))

    def _proved(self) -> None:
        self._carry_out(self._link.proved(self._run.id, self._now()))

    async def _read(self) -> None:
        assert self._run.channel is not None
        self._run.channel.hand_first_to(self._take_now)
        while True:
            data = await self._run.channel.receive()
            # A channel with much to read must not starve the others.
            if (pause := self._turn.rest(monotonic())) is not None:
                await asyncio.sleep(pause)
            self._turn.begin(monotonic())
            self._take(data)
            self._turn.end(monotonic())
            if self._run.previous is not None:
                await self._run.turn()
            if self._room.crowded:
                await self._make_room()

    def _take_now(self, data: str | bytes) -> bool:
        """Take what comes, unless there is something to wait for before."""
        if self._run.previous is not None or self._room.crowded or not self._turn.try_begin(monotonic()):
            return False
        try:
            self._take(data)
        except Exception as error:  # noqa: BLE001 - it is raised again, in a task of the reader's group
            # It ends here as one in the reader does, and not in the channel, which knows nobody to tell of it.
            self._crash = self._group.create_task(_raised(error), name=f"read {self._run.peer_id} {self._run.id}")
        finally:
            self._turn.end(monotonic())
        return True

    async def _make_room(self) -> None:
        """Ask a peer that knows the word to pause, and read on, so that its heartbeats pass; stop reading where that does not help."""
        if self._run.speaks_hallway and self._surplus < SURPLUS_BYTES:
            self._ask_to_pause()
            return
        self._carry_out(self._link.pause(self._run.id, self._now(), paused=True))
        self._is_reading = False
        try:
            await self._room.wait()
        finally:
            self._is_reading = True
            self._assembly.excuse(self._now())
            self._carry_out(self._link.pause(self._run.id, self._now(), paused=False))

    def _ask_to_pause(self) -> None:
        if self._resuming is None or self._resuming.done():
            self._run.send(Pause())
            self._resuming = self._group.create_task(self._resume(), name=f"resume {self._run.peer_id} {self._run.id}")

    async def _resume(self) -> None:
        await self._room.wait()
        self._surplus = 0
        self._run.send(Resume())

    def _take_frame(self, data: str | bytes) -> None:
        try:
            if isinstance(data, bytes) and data.startswith(LONE_HEAD) and self._link.passes(self._run.id):
                message_id, value, weight = decode_lone(data)
                if self._resuming is not None:
                    self._note_surplus(weight)
                self._publish(MessageReceived(self._run.peer_id, value, message_id), weight)
                return
            frame = decode(data)
            # A chunk before HELLO is the link's to refuse.
            if isinstance(frame, Chunk) and self._run.hello is not None:
                if (whole := self._assembly.put(frame, self._now())) is None:
                    self._await_rest()
                    return
                frame = decode_large(whole)
        except BadFrame as error:
            self._failed(self._run, str(error), DownReason.PROTOCOL)
            return
        if isinstance(frame, Messages) and self._link.passes(self._run.id):
            self._deliver(frame.items, frame.weight)
        else:
            self._carry_out(self._link.received(self._run.id, frame, self._now()))

    def _await_rest(self) -> None:
        """A large message is under way. One timer lasts for all of its pieces: one that is early looks again."""
        if self._overdue is None:
            self._overdue = self._loop.call_at(self._assembly.deadline, self._look_for_rest)

    def _look_for_rest(self) -> None:
        self._overdue = None
        if not self._is_reading:
            self._assembly.excuse(self._now())
        try:
            self._assembly.tick(self._now())
        except BadFrame as error:
            self._failed(self._run, str(error), DownReason.PROTOCOL)
            return
        if self._assembly.deadline < inf:
            self._await_rest()

    def _note_surplus(self, weight: int) -> None:
        if self._resuming is not None and not self._resuming.done():
            # One alone may have any weight.
            self._surplus += min(weight, SURPLUS_BYTES - 1)

    def _deliver(self, messages: Sequence[tuple[str, Any]], weight: int) -> None:
        if self._resuming is not None:
            self._note_surplus(weight)
        peer_id, publish = self._run.peer_id, self._publish
        share = weight // len(messages) if messages else 0
        for message_id, value in messages:
            publish(MessageReceived(peer_id, value, message_id), share)

    def _take_plain(self, data: str | bytes) -> None:
        if self._garbage >= MAX_GARBAGE:
            # More may come in the turn in which the channel is given up.
            return
        peer_id = self._run.peer_id
        try:
            value: Any = jsontext.loads(data)
        except jsontext.BadJson as error:
            self._garbage += 1
            text = f"{peer_id} sent something that is no message: {error}"
            self._publish(ErrorHappened("bad-message", text, "the peer must send JSON texts"))
            if self._garbage >= MAX_GARBAGE:
                self._failed(self._run, f"{peer_id} sent {MAX_GARBAGE} things that are no messages", DownReason.PROTOCOL)
        else:
            self._publish(MessageReceived(peer_id, value, new_message_id()), of_json(data))


async def _raised(error: Exception) -> None:
    raise error


def new_message_id() -> str:
    """A fresh id for one message: 16 random bytes in hexadecimal."""
    return f"{random.getrandbits(128):032x}"
